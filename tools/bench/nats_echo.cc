#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <nats/nats.h>
#include <unistd.h>

#include "tools/bench/echo_main.h"

/// The NATS side: requests and replies by way of a nats-server, with mutual TLS from it to either
/// side. The requests of all callers are published on one connection, and one subscription there
/// takes their replies; the responder takes them on one too.
///
/// The library can send each message at once from the thread that publishes it, or leave it to a
/// thread of its own, which waits a millisecond for more. Both sides use what gives more calls per
/// second: the first up to 64 in flight, the second above, where it gives more than twice as many.
namespace rp::bench {
namespace {

enum class Sending { at_once, gathered };

constexpr std::size_t kSentAtOnceMax = 64;  // calls in flight

const char* subject_of(Sending sending) {
  return sending == Sending::at_once ? "echo.at_once" : "echo.gathered";
}

void require(natsStatus status, const char* what) {
  if (status == NATS_OK) return;
  const char* detail = nats_GetLastError(nullptr);
  throw std::runtime_error(std::string(what) + ": " + natsStatus_GetText(status) +
                           (detail ? std::string(" ") + detail : ""));
}

template <auto destroy>
struct Destroy {
  template <class T>
  void operator()(T* object) const {
    destroy(object);
  }
};
using Connection = std::unique_ptr<natsConnection, Destroy<natsConnection_Destroy>>;
using Subscription = std::unique_ptr<natsSubscription, Destroy<natsSubscription_Destroy>>;
using Message = std::unique_ptr<natsMsg, Destroy<natsMsg_Destroy>>;

Connection connect(const std::filesystem::path& identity, std::uint16_t port, Sending sending) {
  natsOptions* made = nullptr;
  require(natsOptions_Create(&made), "options");
  const std::unique_ptr<natsOptions, Destroy<natsOptions_Destroy>> options(made);
  const std::string url = "nats://127.0.0.1:" + std::to_string(port);
  require(natsOptions_SetURL(made, url.c_str()), "url");
  require(natsOptions_SetSecure(made, true), "TLS");
  require(natsOptions_LoadCATrustedCertificates(made, (identity / "ca.crt.pem").c_str()), "CA");
  require(natsOptions_LoadCertificatesChain(made, (identity / "restpipe.client.crt.pem").c_str(),
                                            (identity / "restpipe.client.key.pem").c_str()),
          "certificate");
  require(natsOptions_SetExpectedHostname(made, "localhost"), "host name");
  require(natsOptions_SetAllowReconnect(made, false), "reconnect");
  require(natsOptions_SetSendAsap(made, sending == Sending::at_once), "sending");
  natsConnection* connection = nullptr;
  require(natsConnection_Connect(&connection, made), "connect");
  return Connection(connection);
}

Subscription subscribe(natsConnection& connection, const std::string& subject,
                       natsMsgHandler handler, void* closure) {
  natsSubscription* subscription = nullptr;
  require(natsConnection_Subscribe(&subscription, &connection, subject.c_str(), handler, closure),
          "subscribe");
  require(natsConnection_Flush(&connection), "flush");
  return Subscription(subscription);
}

void answer(natsConnection* connection, natsSubscription*, natsMsg* request, void*) {
  const Message owned(request);
  natsConnection_Publish(connection, natsMsg_GetReply(request), natsMsg_GetData(request),
                         natsMsg_GetDataLength(request));
}

class Callers {
 public:
  Callers(natsConnection& connection, Sending sending, ClosedLoop& loop)
      : connection_(connection), subject_(subject_of(sending)), loop_(loop) {
    natsInbox* inbox = nullptr;
    require(natsInbox_Create(&inbox), "inbox");
    inbox_ = std::string(inbox) + ".";
    natsInbox_Destroy(inbox);
  }

  void run() {
    const Subscription replies = subscribe(connection_, inbox_ + "*", &Callers::replied, this);
    loop_.start();
    for (std::size_t caller = 0; caller < loop_.in_flight(); ++caller) call(caller);
    const std::string wrong = ended_.get_future().get();
    if (!wrong.empty()) throw std::runtime_error(wrong);
  }

 private:
  static void replied(natsConnection*, natsSubscription*, natsMsg* reply, void* closure) {
    const Message owned(reply);
    static_cast<Callers*>(closure)->on_reply(natsMsg_GetSubject(reply),
                                             natsMsg_GetDataLength(reply));
  }

  void on_reply(const std::string& subject, int bytes) {
    if (bytes != static_cast<int>(kBodyBytes)) return end("no answer, or a wrong one");
    const auto caller = static_cast<std::size_t>(std::stoul(subject.substr(inbox_.size())));
    if (loop_.answered(caller)) return call(caller);
    if (loop_.done()) end("");
  }

  void call(std::size_t caller) {
    const std::string reply_to = inbox_ + std::to_string(caller);
    const natsStatus status = natsConnection_PublishRequest(
        &connection_, subject_, reply_to.c_str(), body_.data(), static_cast<int>(body_.size()));
    if (status != NATS_OK) end(natsStatus_GetText(status));
  }

  void end(const std::string& wrong) {
    if (!std::exchange(has_ended_, true)) ended_.set_value(wrong);
  }

  natsConnection& connection_;
  const char* const subject_;
  ClosedLoop& loop_;
  std::string inbox_;  // with a '.' behind it; a caller's number follows
  const std::string body_ = std::string(kBodyBytes, 'x');
  std::promise<std::string> ended_;  // "" or what went wrong
  bool has_ended_ = false;
};

void serve(const std::filesystem::path& identity, std::uint16_t port) {
  std::vector<Connection> connections;
  std::vector<Subscription> subscriptions;
  for (const Sending sending : {Sending::at_once, Sending::gathered}) {
    connections.push_back(connect(identity, port, sending));
    subscriptions.push_back(subscribe(*connections.back(), subject_of(sending), &answer, nullptr));
  }
  announce(port);
  for (;;) ::pause();
}

void load(const std::filesystem::path& identity, std::uint16_t port, ClosedLoop& loop) {
  const Sending sending = loop.in_flight() <= kSentAtOnceMax ? Sending::at_once : Sending::gathered;
  const Connection connection = connect(identity, port, sending);
  Callers(*connection, sending, loop).run();
}

}  // namespace
}  // namespace rp::bench

int main(int argc, char** argv) {
  return rp::bench::echo_main(argc, argv, {&rp::bench::serve, &rp::bench::load});
}
