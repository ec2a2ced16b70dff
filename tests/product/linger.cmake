# The message queue and its HTTP API.
rp_product_test(
  linger_product_test
  SOURCES linger_fixture.cc linger_test.cc linger_more_test.cc linger_pipe_test.cc linger_command_test.cc linger_openapi_test.cc
  LABELS product
  TIMEOUT 120)

# Two minutes of waiting.
rp_product_test(
  linger_slow_test
  SOURCES linger_fixture.cc linger_slow_test.cc
  LABELS slow
  TIMEOUT 180
  COST 130)
