#pragma once

#include <memory>
#include <string>

#include "handlers/local/threads.h"
#include "pipe/event.h"

namespace rp::handlers {

struct FilesOptions {
  std::string noun;  ///< where the directory is mounted: "docs"
  std::string root;  ///< the directory, absolute
};

/// Serves a directory for reading: `GET docs//a/b.html` is the file a/b.html in it, as an HTTP
/// response with entity tag, conditions and ranges. docs/handlers.md has the rules.
class FilesTarget final : public pipe::EventTarget {
 public:
  /// `threads` outlive the target and its calls. Throws PluginRefused when the directory cannot be
  /// served.
  FilesTarget(FilesOptions options, Threads& threads);

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override;

 private:
  const std::shared_ptr<const FilesOptions> options_;
  Threads& threads_;
};

}  // namespace rp::handlers
