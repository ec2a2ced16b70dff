#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "handlers/files/files_target.h"
#include "handlers/files/served_file.h"
#include "handlers/local/local_call.h"

namespace rp::handlers {

/// One request for a file: opened and read on the disk threads, one piece at a time, as fast as the
/// caller takes it.
class FilesCall final : public LocalCall {
 public:
  FilesCall(std::shared_ptr<const FilesOptions> options, Threads& threads, pipe::Event event,
            std::string body, pipe::Origin origin, std::shared_ptr<pipe::ReplySink> sink);

 private:
  /// A piece of the file, or why there is none.
  struct Piece {
    std::string bytes;
    int error = 0;
  };
  /// All that the first visit to the disk brings.
  struct Found {
    ServedFile file;
    Selection selection;
    Piece whole;  ///< of what is sent, when it is short
  };

  void on_start() override;
  void on_body() override;
  void on_room() override { read_on(); }
  void on_over() override { file_.reset(); }

  static Found find(const std::string& root, const std::string& path, const pipe::Headers& headers);
  static Piece read_piece(const FileDescriptor& file, std::uint64_t at, std::size_t bytes);

  void on_found(Found found);
  void answer_file(Found found);
  void read_on();
  void on_piece(Piece piece);
  void redirect_to_directory();
  void refuse(std::uint16_t status, std::string text, pipe::Headers headers = {});

  const std::shared_ptr<const FilesOptions> options_;
  Threads& threads_;
  const std::string path_;

  std::shared_ptr<const FileDescriptor> file_;  // while its content is being sent
  std::uint64_t at_ = 0;                        // where the next piece begins
  std::uint64_t left_ = 0;
  bool reading_ = false;
};

}  // namespace rp::handlers
