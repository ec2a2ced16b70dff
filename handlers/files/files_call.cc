#include "handlers/files/files_call.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <unistd.h>

#include "handlers/files/content_type.h"
#include "handlers/files/http_date.h"
#include "handlers/local/mount_path.h"
#include "pipe/log.h"

namespace rp::handlers {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{64} * 1024;

/// Event codes repeat the HTTP status where that is an error.
std::uint32_t code_of(std::uint16_t status) { return status < 400 ? 0 : status; }

pipe::ReplyHead head_of(std::uint16_t status, std::string content_type, pipe::Headers headers) {
  pipe::ReplyHead head{code_of(status), std::move(content_type), std::move(headers)};
  head.http_status = status;
  return head;
}

}  // namespace

FilesCall::FilesCall(std::shared_ptr<const FilesOptions> options, Threads& threads,
                     pipe::Event event, std::string body, pipe::Origin origin,
                     std::shared_ptr<pipe::ReplySink> sink)
    : LocalCall(threads.context(), std::move(event), std::move(body), std::move(origin),
                std::move(sink)),
      options_(std::move(options)),
      threads_(threads),
      path_(path_below(options_->noun, this->event().noun)) {}

void FilesCall::on_start() {
  if (event().verb != "get") {
    return refuse(405, "this directory is read with GET and HEAD", {{"allow", "GET, HEAD"}});
  }
  on_body();
  threads_.off_thread(
      [options = options_, path = path_, headers = event().headers] {
        return find(options->root, path, headers);
      },
      [call = std::static_pointer_cast<FilesCall>(shared_from_this())](Found found) {
        if (!call->over()) call->on_found(std::move(found));
      });
}

/// A GET may have a body; here it means nothing.
void FilesCall::on_body() {
  while (!body().empty()) use_body(body().size());
}

FilesCall::Found FilesCall::find(const std::string& root, const std::string& path,
                                 const pipe::Headers& headers) {
  Found found;
  found.file = open_served(root, path);
  if (found.file.kind != ServedFile::Kind::file) return found;
  found.selection = select(headers, found.file.state);
  if (found.selection.bytes > 0 && found.selection.bytes <= kPieceBytes) {
    found.whole = read_piece(found.file.fd, found.selection.begin,
                             static_cast<std::size_t>(found.selection.bytes));
  }
  return found;
}

FilesCall::Piece FilesCall::read_piece(const FileDescriptor& file, std::uint64_t at,
                                       std::size_t bytes) {
  Piece piece;
  piece.bytes.resize(bytes);
  std::size_t filled = 0;
  while (filled < bytes) {
    const auto n = ::pread(file.get(), piece.bytes.data() + filled, bytes - filled,
                           static_cast<off_t>(at + filled));
    if (n > 0) {
      filled += static_cast<std::size_t>(n);
    } else if (n == 0) {
      break;  // shorter than it was
    } else if (errno != EINTR) {
      piece.error = errno;
      break;
    }
  }
  piece.bytes.resize(filled);
  return piece;
}

void FilesCall::on_found(Found found) {
  switch (found.file.kind) {
    case ServedFile::Kind::file:
      return answer_file(std::move(found));
    case ServedFile::Kind::directory:
      return redirect_to_directory();
    case ServedFile::Kind::absent:
      return refuse(404, "there is no such file");
    case ServedFile::Kind::forbidden:
      return refuse(403, "this node may not read that file");
    case ServedFile::Kind::failed:
      log(LogLevel::error, "files", "A file could not be opened",
          {{"root", options_->root},
           {"path", path_},
           {"request_id", event().request_id},
           {"why", std::strerror(found.file.error)}});
      return fail(pipe::Errc::overloaded, "this node cannot open files at the moment");
  }
}

void FilesCall::answer_file(Found found) {
  const auto& [status, begin, bytes] = found.selection;
  const auto& state = found.file.state;
  if (status == 412) return refuse(412, "the file is not in the state that was asked for");
  const auto size = std::to_string(state.bytes);
  if (status == 416) {
    return refuse(416, "the file has " + size + " bytes", {{"content-range", "bytes */" + size}});
  }
  auto head = head_of(status, std::string(content_type_of(found.file.name)),
                      {{"accept-ranges", "bytes"},
                       {"etag", state.etag},
                       {"last-modified", http_date(state.modified)}});
  if (status == 206) {
    head.headers.push_back({"content-range", "bytes " + std::to_string(begin) + '-' +
                                                 std::to_string(begin + bytes - 1) + '/' + size});
  }
  if (bytes == 0) return reply(std::move(head), {});  // 304, or an empty file
  if (found.whole.bytes.size() == bytes)
    return reply(std::move(head), std::move(found.whole.bytes));
  head.body_bytes = bytes;
  this->begin(std::move(head));
  file_ = std::make_shared<const FileDescriptor>(std::move(found.file.fd));
  at_ = begin;
  left_ = bytes;
  read_on();
}

void FilesCall::read_on() {
  if (over() || reading_ || !file_) return;
  const auto wanted = std::min<std::uint64_t>({left_, room(), kPieceBytes});
  if (wanted == 0) return;  // on_room() goes on
  reading_ = true;
  threads_.off_thread(
      [file = file_, at = at_, wanted] {
        return read_piece(*file, at, static_cast<std::size_t>(wanted));
      },
      [call = std::static_pointer_cast<FilesCall>(shared_from_this())](Piece piece) {
        call->reading_ = false;
        if (!call->over()) call->on_piece(std::move(piece));
      });
}

void FilesCall::on_piece(Piece piece) {
  if (piece.bytes.empty()) {
    const bool shorter = piece.error == 0;
    log(LogLevel::warning, "files", "A file was not sent to its end",
        {{"root", options_->root},
         {"path", path_},
         {"request_id", event().request_id},
         {"why", shorter ? "it has become shorter" : std::strerror(piece.error)}});
    return fail(pipe::Errc::handler_failed, shorter
                                                ? "the file has become shorter while it was sent"
                                                : "the file could not be read to its end");
  }
  at_ += piece.bytes.size();
  left_ -= piece.bytes.size();
  write(std::move(piece.bytes));
  if (left_ == 0) return end();
  read_on();
}

/// Relative links in a directory's index work only behind a '/'. The mount itself gets "//", which
/// ends its noun.
void FilesCall::redirect_to_directory() {
  const auto& whole = path_.empty() ? options_->noun : path_;
  auto location = "./" + encoded_path(whole.substr(whole.rfind('/') + 1));
  location += path_.empty() ? "//" : "/";
  if (!event().query.empty()) location += '?' + event().query;
  refuse(301, "see " + location, {{"location", std::move(location)}});
}

void FilesCall::refuse(std::uint16_t status, std::string text, pipe::Headers headers) {
  reply(head_of(status, "text/plain; charset=utf-8", std::move(headers)), text + '\n');
}

}  // namespace rp::handlers
