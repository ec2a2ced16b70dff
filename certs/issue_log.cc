#include "certs/issue_log.h"

#include <array>
#include <charconv>
#include <ctime>
#include <sstream>
#include <string_view>

#include "certs/error.h"
#include "certs/files.h"

namespace rp::certs::issue_log {
namespace {

// UTCTime (two digits of the year) until 2049, GeneralizedTime after, as RFC 5280 has it.
std::string time_text(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm calendar{};
  gmtime_r(&seconds, &calendar);
  std::array<char, 32> text{};
  const bool short_year = calendar.tm_year < 150;
  std::strftime(text.data(), text.size(), short_year ? "%y%m%d%H%M%SZ" : "%Y%m%d%H%M%SZ",
                &calendar);
  return text.data();
}

std::optional<WallTime> parse_time(std::string_view text) {
  constexpr std::size_t kShort = 13;  // YYMMDDHHMMSSZ
  constexpr std::size_t kLong = 15;
  if ((text.size() != kShort && text.size() != kLong) || text.back() != 'Z') return {};
  const std::size_t year_digits = text.size() == kShort ? 2 : 4;
  bool digits = true;
  const auto number = [&](std::size_t at, std::size_t count) {
    int value = 0;
    const char* end = text.data() + at + count;
    digits = digits && std::from_chars(text.data() + at, end, value).ptr == end && value >= 0;
    return value;
  };
  std::tm calendar{};
  const int year = number(0, year_digits);
  calendar.tm_year = year_digits == 4 ? year - 1900 : (year < 50 ? year + 100 : year);
  calendar.tm_mon = number(year_digits, 2) - 1;
  calendar.tm_mday = number(year_digits + 2, 2);
  calendar.tm_hour = number(year_digits + 4, 2);
  calendar.tm_min = number(year_digits + 6, 2);
  calendar.tm_sec = number(year_digits + 8, 2);
  if (!digits) return {};
  return std::chrono::system_clock::from_time_t(timegm(&calendar));
}

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  for (const char c : line) {
    if (c == '\t') {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

// status, expiry, revocation time[,reason], serial, file, subject
std::optional<Issued> parse_line(const std::string& line) {
  const std::vector<std::string> fields = fields_of(line);
  if (fields.size() != 6) return {};
  const auto expires_at = parse_time(fields[1]);
  if (!expires_at) return {};
  Issued entry{{}, fields[3], *expires_at, {}};
  if (fields[0] == "R") {
    entry.revoked_at = parse_time(std::string_view(fields[2]).substr(0, fields[2].find(',')));
    if (!entry.revoked_at) return {};
  } else if (fields[0] != "V" && fields[0] != "E") {
    return {};
  }
  constexpr std::string_view kCommonName = "/CN=";
  const std::size_t at = fields[5].rfind(kCommonName);
  if (at == std::string::npos) return {};
  entry.name = fields[5].substr(at + kCommonName.size());
  return entry;
}

}  // namespace

std::vector<Issued> read(const std::filesystem::path& path) {
  std::vector<Issued> entries;
  std::istringstream lines(read_optional_file(path, kBytesMax));
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (line.empty()) continue;
    auto entry = parse_line(line);
    if (!entry)
      throw Error(ErrorKind::malformed, path.string() + " line " + std::to_string(number) +
                                            " is not a record of an issued certificate");
    entries.push_back(std::move(*entry));
  }
  return entries;
}

std::string text(const std::vector<Issued>& entries) {
  std::string out;
  for (const Issued& entry : entries) {
    out += entry.revoked_at ? "R\t" : "V\t";
    out += time_text(entry.expires_at) + "\t";
    if (entry.revoked_at) out += time_text(*entry.revoked_at);
    out += "\t" + entry.serial + "\tunknown\t/CN=" + entry.name + "\n";
  }
  return out;
}

}  // namespace rp::certs::issue_log
