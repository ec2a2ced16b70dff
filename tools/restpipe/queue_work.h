#pragma once

#include <map>
#include <string>
#include <vector>

#include "tools/restpipe/queue_client.h"

/// What `restpipe queue`, `pub` and `sub` do once their command line is read.
namespace rp::tools {

/// What any of the commands may be given; each has its part of it.
struct QueueOptions {
  QueueNode node;
  std::string name;   ///< of the channel, or the topic
  std::string other;  ///< of the channel that subscribes
  std::vector<std::string> messages;
  std::string data;
  std::string type = "text/plain";
  std::map<std::string, std::string> parameters;  ///< of the request, by their names there
  bool acknowledge = false;
  bool with_head = false;
  bool reject = false;
  bool all_or_none = false;
  bool remove = false;
};

/// Returns the exit code. Throws QueueRefusal, HttpFailure, CLI::ValidationError.
using QueueWork = int (*)(const QueueOptions& options);

int put_message(const QueueOptions& options);
int take_message(const QueueOptions& options);
int peek_messages(const QueueOptions& options);
int print_stats(const QueueOptions& options);
int purge_channel(const QueueOptions& options);
int pause_channel(const QueueOptions& options);
int resume_channel(const QueueOptions& options);
int redrive_channel(const QueueOptions& options);
int publish_message(const QueueOptions& options);
int subscribe_channel(const QueueOptions& options);

// Each message by itself: the others are done even if one is refused, which is then told with its
// name.
int acknowledge_messages(const QueueOptions& options);
int give_messages_back(const QueueOptions& options);

}  // namespace rp::tools
