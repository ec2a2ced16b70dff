#include "pipe/core/outbox.h"

#include <algorithm>
#include <utility>

#include "pipe/core/limits.h"

namespace rp::pipe {
namespace {

std::size_t frame_bytes_at(std::string_view frames, std::size_t at) {
  return kFrameHeaderBytes + decode_header(frames.data() + at).payload_bytes;
}

}  // namespace

void Outbox::push_control(std::string_view frame) {
  control_.append(frame);
  if (is_reliable(decode_header(frame.data()).type)) ++control_reliable_;
}

void Outbox::silence() {
  silent_ = true;
  control_.clear();
  control_reliable_ = 0;
}

bool Outbox::has_turn(const SendStream& stream) {
  if (stream.pieces.empty()) return stream.ended && !stream.end_sent;
  return stream.window.available(1) > 0;
}

bool Outbox::may_send(const SendStream& stream) const {
  // The frame that only ends a body needs no window.
  return produced_ >= stream.after && (stream.pieces.empty() || session_window_.available(1) > 0);
}

void Outbox::enqueue(SendStream& stream) {
  if (stream.queued || !has_turn(stream)) return;
  stream.queued = true;
  turns_.push_back(&stream);
}

void Outbox::push(SendStream& stream, std::string piece, bool end) {
  if (!piece.empty()) stream.pieces.push_back(std::move(piece));
  stream.ended = stream.ended || end;
  enqueue(stream);
}

void Outbox::drop(SendStream& stream) {
  if (stream.queued) turns_.erase(std::find(turns_.begin(), turns_.end(), &stream));
  stream.queued = false;
  stream.pieces.clear();
}

bool Outbox::credit(SendStream& stream, std::uint32_t bytes) {
  if (!stream.window.add(bytes)) return false;
  enqueue(stream);
  return true;
}

bool Outbox::session_credit(std::uint32_t bytes) { return session_window_.add(bytes); }

bool Outbox::has_output() const {
  if (!control_.empty()) return true;
  if (silent_) return false;
  return messages_.size() > messages_at_ ||
         std::any_of(turns_.begin(), turns_.end(),
                     [this](const SendStream* stream) { return may_send(*stream); });
}

void Outbox::produce(std::string& out, std::size_t bytes_max) {
  out.append(control_);
  control_.clear();
  reliable_frames_ += std::exchange(control_reliable_, 0);
  if (silent_) return;
  while (out.size() < bytes_max && messages_at_ < messages_.size()) produce_message(out);
  if (messages_at_ == messages_.size()) {
    messages_.clear();
    messages_at_ = 0;
  }
  // At least one turn even when messages alone fill the batch: bodies must not starve.
  do {
    if (!produce_data(out)) break;
  } while (out.size() < bytes_max);
}

void Outbox::produce_message(std::string& out) {
  const std::size_t bytes = frame_bytes_at(messages_, messages_at_);
  out.append(messages_, messages_at_, bytes);
  messages_at_ += bytes;
  produced_ += bytes;
  ++reliable_frames_;
  // Bounds the dead part in front without moving the rest for every frame.
  constexpr std::size_t kCompactAtBytes = 1024 * 1024;
  if (messages_at_ >= kCompactAtBytes) {
    messages_.erase(0, messages_at_);
    messages_at_ = 0;
  }
}

bool Outbox::produce_data(std::string& out) {
  const auto turn = std::find_if(turns_.begin(), turns_.end(),
                                 [this](const SendStream* stream) { return may_send(*stream); });
  if (turn == turns_.end()) return false;
  SendStream& stream = **turn;
  turns_.erase(turn);
  stream.queued = false;
  const std::size_t before = out.size();
  append_data(stream, out);
  const std::size_t bytes = out.size() - before - kFrameHeaderBytes;
  enqueue(stream);
  // May destroy the stream, which is therefore not touched again.
  if (stream.listener) stream.listener->body_sent(stream.call, bytes);
  return true;
}

void Outbox::append_data(SendStream& stream, std::string& out) {
  const std::string_view piece =
      stream.pieces.empty() ? std::string_view()
                            : std::string_view(stream.pieces.front()).substr(stream.offset);
  const std::size_t bytes = session_window_.available(
      stream.window.available(std::min(piece.size(), Limits::kDataFrameBytesMax)));
  const bool piece_done = bytes == piece.size();
  stream.end_sent = stream.ended && stream.pieces.size() <= 1 && piece_done;

  const std::size_t at = out.size();
  out.resize(at + kFrameHeaderBytes);
  encode_header(
      {.payload_bytes = static_cast<std::uint32_t>(bytes),
       .type = static_cast<std::uint8_t>(FrameType::data),
       .flags = static_cast<std::uint8_t>(stream.flags | (stream.end_sent ? frame_flag::end : 0)),
       .call = stream.call},
      out.data() + at);
  out.append(piece.substr(0, bytes));
  ++reliable_frames_;
  stream.window.take(bytes);
  session_window_.take(bytes);
  stream.offset += bytes;
  if (piece_done && !stream.pieces.empty()) {
    stream.pieces.pop_front();
    stream.offset = 0;
  }
}

void Outbox::release_memory() {
  if (control_.empty()) control_.shrink_to_fit();
  if (messages_.empty()) messages_.shrink_to_fit();
  turns_.shrink_to_fit();
}

}  // namespace rp::pipe
