// SPDX-License-Identifier: BSL-1.0
#include <cstdint>
#include <limits>
#include <string>

#include "console/format.hpp"
#include "console/table.hpp"
#include "support/catch.hpp"

using namespace bigsmall;
using namespace bigsmall::app;

TEST_CASE("numbers are grouped by thousands", "[apps]") {
    CHECK(with_thousands(0) == "0");
    CHECK(with_thousands(999) == "999");
    CHECK(with_thousands(1000) == "1,000");
    CHECK(with_thousands(548105171) == "548,105,171");
    CHECK(with_thousands(std::numeric_limits<std::uint64_t>::max()) == "18,446,744,073,709,551,615");
    CHECK(difference(5000, 1000) == "4,000");
    CHECK(difference(1000, 5000) == "-4,000");
    CHECK(difference(7, 7) == "0");
}

TEST_CASE("sizes are exact bytes and one binary unit", "[apps]") {
    CHECK(exact_size(0) == "0 bytes");
    CHECK(exact_size(1023) == "1,023 bytes");
    CHECK(exact_size(1024) == "1,024 bytes (1.00 KiB)");
    CHECK(exact_size(413973591) == "413,973,591 bytes (394.80 MiB)");
    CHECK(exact_size(5 * GiB) == "5,368,709,120 bytes (5.00 GiB)");
    CHECK(exact_size(5000 * GiB) == "5,368,709,120,000 bytes (5000.00 GiB)");
}

TEST_CASE("percentages, times and speeds", "[apps]") {
    CHECK(percent_text(413973591, 548105171) == "75.53%");
    CHECK(percent_text(1, 0) == "n/a");
    CHECK(percent_text(0, 5) == "0.00%");
    CHECK(percent_text(7, 2) == "350.00%");
    CHECK(fixed(19.44, 1) == "19.4");
    CHECK(fixed(1e300, 1).size() == 303);
    CHECK(speed(28300000, 1.0) == "28.3 MB/s");
    CHECK(speed(1, 0.0) == "- MB/s");
    CHECK(clock_time(7) == "0:07");
    CHECK(clock_time(754) == "12:34");
    CHECK(clock_time(3723) == "1:02:03");
}

TEST_CASE("no control character of a name reaches the terminal", "[apps]") {
    CHECK(printable("model.layers.0") == "model.layers.0");
    CHECK(printable("\x1b[2J\n\r\t\x7f") == "\\x1b[2J\\x0a\\x0d\\x09\\x7f");
    CHECK(printable(std::string_view("a\0b", 3)) == "a\\x00b");
    CHECK(printable("\xc3\xa9\xf0\x9f\x98\x80") == "\xc3\xa9\xf0\x9f\x98\x80");
    CHECK(printable("\xc2\x9b" "2J") == "\\xc2\\x9b2J"); // the one-character twin of ESC [
    CHECK(printable("\xc2\xa0") == "\xc2\xa0");
    CHECK(printable("\xc2") == "\xc2");
}

TEST_CASE("names are cut between characters", "[apps]") {
    CHECK(shortened("abcdef", 6) == "abcdef");
    CHECK(shortened("abcdefg", 6) == "abc...");
    CHECK(shortened("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 6) ==
          "\xc3\xa9\xc3\xa9\xc3\xa9...");
    CHECK(character_count("\xc3\xa9x") == 2);
    CHECK(padded_left("7", 3) == "  7");
    CHECK(padded_right("\xc3\xa9", 3) == "\xc3\xa9  ");
    CHECK(padded_right("long", 2) == "long");
}

TEST_CASE("table columns are as wide as their widest cell", "[apps]") {
    CHECK(table_text({{"#", align::right}, {"name"}, {"raw", align::right}},
                     {{"1", "a", "1,000"}, {"10", "bcdef", "7"}}) == " #  name     raw\n"
                                                                     " 1  a      1,000\n"
                                                                     "10  bcdef      7\n");
    CHECK(table_text({{"name"}, {"last"}}, {}) == "name  last\n");
    CHECK(table_text({{"name"}, {"x"}}, {{"a", ""}}) == "name  x\na\n");
}
