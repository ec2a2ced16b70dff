#include <stdexcept>
#include <utility>

#include "tools/bench/bulk_bodies.h"
#include "tools/bench/bulk_main.h"
#include "tools/bench/pipe_ends.h"

/// Our side of bulk transfers: the body of one call through one pipe, a reply's or a request's.
namespace rp::bench {
namespace {

class BulkTarget final : public pipe::EventTarget {
 public:
  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&&, const pipe::Origin&,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override {
    if (auto control = answer_bulk(event, sink)) return control;
    sink->fail({pipe::Errc::draining, "nothing but bulk here"});
    return nothing_to_control();
  }
};

void serve(const std::filesystem::path& identity, std::uint16_t port) {
  BulkTarget target;
  serve_pipes(identity, port, target);
}

void load(const std::filesystem::path& identity, std::uint16_t port, Direction direction,
          BulkMeter& meter) {
  PipeLoad pipes(identity, port);
  const auto passed = [&](std::size_t bytes) {
    if (meter.passed(bytes)) return true;
    pipes.finish();
    return false;
  };
  const auto failed = [&](const std::string& why) { pipes.finish("the transfer broke: " + why); };
  DialledPipe told;
  told.opened = [&](const std::shared_ptr<pipe::EventTarget>& peer) {
    meter.start();
    direction == Direction::down ? read_bulk(*peer, passed, failed)
                                 : write_bulk(*peer, passed, failed);
  };
  pipes.dial(std::move(told));
  pipes.run();
}

}  // namespace
}  // namespace rp::bench

int main(int argc, char** argv) {
  return rp::bench::bulk_main(argc, argv, {&rp::bench::serve, &rp::bench::load});
}
