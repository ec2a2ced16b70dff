-- What wrk prints for tools/bench/run.
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("requests_per_s=%.0f requests=%d p50_us=%.1f p99_us=%.1f errors=%d\n",
    summary.requests * 1e6 / summary.duration, summary.requests,
    latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
