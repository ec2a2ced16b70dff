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
  if (!is_reliable(decode_header(frame.data()).type)) {
    control_.append(frame);
    return;
  }
  credits_.append(frame);
  ++credits_waiting_;
}

void Outbox::silence() {
  silent_ = true;
  control_.clear();
}

bool Outbox::attach(std::uint64_t frames) {
  if (!sent_.acknowledge(frames)) return false;
  sent_.rewind();
  return true;
}

bool Outbox::has_turn(const SendStream& stream) {
  if (stream.pieces.empty()) return stream.ended && !stream.end_sent;
  return stream.window.available(1) > 0;
}

bool Outbox::may_send(const SendStream& stream) const {
  // The frame that only ends a body needs no window.
  return produced_ >= stream.after &&
         (stream.pieces.empty() ||
          (session_window_.available(1) > 0 && sent_.bytes() < pace_.in_flight_max));
}

void Outbox::enqueue(SendStream& stream) {
  if (stream.queued || !has_turn(stream)) return;
  stream.queued = true;
  turns_.push_back(&stream);
}

void Outbox::push(SendStream& stream, std::string&& piece, bool end) {
  if (!piece.empty()) {
    stream.pieces.push_back(std::make_shared<const std::string>(std::move(piece)));
  }
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
  if (sent_.has_repeats()) return true;
  if (is_paused()) return false;
  return !credits_.empty() || messages_.size() > messages_at_ ||
         std::any_of(turns_.begin(), turns_.end(),
                     [this](const SendStream* stream) { return may_send(*stream); });
}

void Outbox::produce(std::string& out, std::size_t bytes_max) {
  out.append(control_);
  control_.clear();
  if (silent_) return;
  if (sent_.has_repeats()) {
    sent_.repeat(out, bytes_max);
    if (sent_.has_repeats()) return;
  }
  if (is_paused()) return;
  const bool has_messages = !unsent_messages().empty();
  produce_messages(out, bytes_max);
  gave_way_ = pace_.give_way && has_messages && has_bodies() && !gave_way_;
  if (gave_way_) return;
  // At least one turn even when messages alone fill the batch: bodies must not starve.
  do {
    if (!produce_data(out)) break;
  } while (out.size() < bytes_max);
}

void Outbox::produce_messages(std::string& out, std::size_t bytes_max) {
  const std::size_t before = out.size();
  std::uint64_t frames = std::exchange(credits_waiting_, 0);
  out.append(credits_);
  credits_.clear();

  const std::string_view waiting = unsent_messages();
  if (out.size() + waiting.size() <= bytes_max) {
    out.append(waiting);
    produced_ += waiting.size();
    frames += std::exchange(messages_waiting_, 0);
    messages_.clear();
    messages_at_ = 0;
  }
  while (out.size() < bytes_max && messages_at_ < messages_.size()) {
    produce_message(out);
    ++frames;
  }
  sent_.append(std::string_view(out).substr(before), frames);
}

void Outbox::produce_message(std::string& out) {
  const std::size_t bytes = frame_bytes_at(messages_, messages_at_);
  out.append(messages_, messages_at_, bytes);
  messages_at_ += bytes;
  produced_ += bytes;
  --messages_waiting_;
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
  const SentLog::Piece piece = stream.pieces.empty() ? nullptr : stream.pieces.front();
  const std::size_t left = piece ? piece->size() - stream.offset : 0;
  const std::size_t bytes = session_window_.available(
      stream.window.available(std::min(left, Limits::kDataFrameBytesMax)));
  const bool piece_done = bytes == left;
  stream.end_sent = stream.ended && stream.pieces.size() <= 1 && piece_done;

  char header[kFrameHeaderBytes];
  encode_header(
      {.payload_bytes = static_cast<std::uint32_t>(bytes),
       .type = static_cast<std::uint8_t>(FrameType::data),
       .flags = static_cast<std::uint8_t>(stream.flags | (stream.end_sent ? frame_flag::end : 0)),
       .call = stream.call},
      header);
  out.append(header, sizeof header);
  if (piece) out.append(*piece, stream.offset, bytes);
  sent_.append_data({header, sizeof header}, piece, stream.offset, bytes);
  stream.window.take(bytes);
  session_window_.take(bytes);
  stream.offset += bytes;
  if (piece_done && piece) {
    stream.pieces.pop_front();
    stream.offset = 0;
  }
}

void Outbox::release_memory() {
  if (control_.empty()) control_.shrink_to_fit();
  if (credits_.empty()) credits_.shrink_to_fit();
  if (messages_.empty()) messages_.shrink_to_fit();
  turns_.shrink_to_fit();
  sent_.release_memory();
}

}  // namespace rp::pipe
