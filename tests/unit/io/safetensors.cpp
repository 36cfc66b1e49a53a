// SPDX-License-Identifier: BSL-1.0
#include <chrono>

#include "io_fixtures.hpp"
#include "support/catch.hpp"

using namespace io_test;

namespace {

safetensors_layout layout_of(std::string_view json, std::size_t data_bytes) {
    return read_safetensors_layout(memory_source(file_of(json, data_bytes), "test.safetensors"));
}

struct refusal {
    std::string json;
    std::size_t data_bytes;
    errc code;
    const char* says;
};

std::string tensor(const std::string& fields) { return "{\"t\":{" + fields + "}}"; }

std::string nested(std::size_t depth) {
    return R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":)" + std::string(depth, '[') +
           std::string(depth, ']') + "}}";
}

std::vector<refusal> broken_json() {
    constexpr errc bad = errc::invalid_input;
    return {
        {"[]", 0, bad, "must begin with '{'"},
        {" {}", 0, bad, "must begin with '{'"},
        {"\xef\xbb\xbf{}", 0, bad, "must begin with '{'"},
        {"{", 0, errc::invalid_input, "shortest header"},
        {"{ ", 0, bad, "not valid JSON"},
        {"{}x", 0, bad, "not valid JSON"},
        {"{}{}", 0, bad, "not valid JSON"},
        {"{,}", 0, bad, "not valid JSON"},
        {"{\"a\"}", 0, bad, "not valid JSON"},
        {"{'a':1}", 0, bad, "not valid JSON"},
        {"{\"a\":\"\xff\"}", 0, bad, "not valid JSON"},
        {"{\"a\":NaN}", 0, bad, "not valid JSON"},
        {"{}/* c */", 0, bad, "not valid JSON"},
        {std::string("{}\0", 3), 0, bad, "NUL byte; padding must be spaces"},
        {std::string("{\"a\0b\":{}}", 10), 0, bad, "NUL byte"},
        {R"({"t":5})", 0, bad, "its entry must be a JSON object, not a number"},
        {R"({"t":[]})", 0, bad, "its entry must be a JSON object, not an array"},
        {R"({"t":"x"})", 0, bad, "its entry must be a JSON object, not a string"},
        {R"({"t":null})", 0, bad, "its entry must be a JSON object, not null"},
        {nested(63), 0, bad, "nested more than 64 levels"},
        {nested(100'000), 0, bad, "nested more than 64 levels"},
        {R"({"__metadata__":{"a":1}})", 0, bad,
         R"(__metadata__: the value of "a" must be a string, not a number)"},
        {R"({"__metadata__":{"a":{}}})", 0, bad, "must be a string, not an object"},
        {R"({"__metadata__":[]})", 0, bad, "__metadata__: its entry must be a JSON object, not an array"},
        {R"({"__metadata__":{"a":"1","a":"1"}})", 0, bad,
         R"(__metadata__: the key "a" is in one JSON object twice)"},
        {R"({"__metadata__":{},"__metadata__":{}})", 0, bad,
         R"(the name "__metadata__" is in the header twice)"},
    };
}

std::vector<refusal> broken_tensors() {
    constexpr errc bad = errc::invalid_input;
    const std::string one = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
    return {
        {tensor(""), 0, bad, "it has no dtype"},
        {tensor(R"("shape":[],"data_offsets":[0,1])"), 1, bad, "it has no dtype"},
        {tensor(R"("dtype":"U8","data_offsets":[0,1])"), 1, bad, "it has no shape"},
        {tensor(R"("dtype":"U8","shape":[1])"), 1, bad, "it has no data_offsets"},
        {tensor(R"("dtype":8,"shape":[1],"data_offsets":[0,1])"), 1, bad,
         "dtype must be a string, not a number"},
        {tensor(R"("dtype":null,"shape":[1],"data_offsets":[0,1])"), 1, bad,
         "dtype must be a string, not null"},
        {tensor(R"("dtype":"U8","shape":1,"data_offsets":[0,1])"), 1, bad, "shape must be an array"},
        {tensor(R"("dtype":"U8","shape":{},"data_offsets":[0,1])"), 1, bad, "but has an object"},
        {tensor(R"("dtype":"U8","shape":[[1]],"data_offsets":[0,1])"), 1, bad, "but has an array"},
        {tensor(R"("dtype":"U8","shape":["1"],"data_offsets":[0,1])"), 1, bad, "but has a string"},
        {tensor(R"("dtype":"U8","shape":[true],"data_offsets":[0,1])"), 1, bad, "but has a boolean"},
        {tensor(R"("dtype":"U8","shape":[-1],"data_offsets":[0,1])"), 1, bad, "but has a negative number"},
        {tensor(R"("dtype":"U8","shape":[-0],"data_offsets":[0,0])"), 1, bad, "but has a negative number"},
        {tensor(R"("dtype":"U8","shape":[1.0],"data_offsets":[0,1])"), 1, bad, "the number 1.0"},
        {tensor(R"("dtype":"U8","shape":[1e0],"data_offsets":[0,1])"), 1, bad, "the number 1e0"},
        {tensor(R"("dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,1])"), 1, bad,
         "beyond 64 bits"},
        {tensor(R"("dtype":"U8","shape":[1e999],"data_offsets":[0,1])"), 1, bad, "not valid JSON"},
        {tensor(R"("dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,1])"), 1, bad,
         "more than 2^64 elements"},
        {tensor(R"("dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0])"), 1, bad, "overflows"},
        {tensor(R"("dtype":"F4","shape":[3],"data_offsets":[0,2])"), 2, bad, "does not fill whole bytes"},
        {tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,7])"), 7, bad,
         "its shape [2] of F32 takes 8 bytes, but its data_offsets span 7"},
        {tensor(R"("dtype":"U8","shape":[1],"data_offsets":[])"), 1, bad, "but there are 0"},
        {tensor(R"("dtype":"U8","shape":[1],"data_offsets":[0])"), 1, bad, "but there are 1"},
        {tensor(R"("dtype":"U8","shape":[1],"data_offsets":[0,1,2])"), 1, bad, "but there are 3"},
        {tensor(R"("dtype":"U8","shape":[1],"data_offsets":0)"), 1, bad, "data_offsets must be an array"},
        {tensor(R"("dtype":"U8","shape":[1],"data_offsets":[-1,0])"), 1, bad, "but has a negative number"},
        {tensor(R"("dtype":"U8","shape":[1],"data_offsets":[2,1])"), 2, bad, "[2, 1] end before they begin"},
        {tensor(R"("dtype":"U8","shape":[2],"data_offsets":[0,2])"), 1, errc::truncated,
         "reach beyond the 1 bytes of data in the file"},
        {tensor(R"("dtype":"U8","shape":[1],"data_offsets":[18446744073709551614,18446744073709551615])"), 1,
         errc::truncated, "reach beyond"},
        {tensor(R"("dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1])"), 1, bad, R"(key "dtype")"},
        {tensor(R"("dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1])"), 1, bad, R"(key "shape")"},
        {tensor(R"("dtype":"U8","shape":[1],"data_offsets":[0,1],"x":{"y":1,"y":1})"), 1, bad, R"(key "y")"},
        {"{\"t\":" + one + ",\"t\":" + one + "}", 1, bad, R"(the name "t" is in the header twice)"},
        {"{\"t\":" + one + ",\"\\u0074\":" + one + "}", 1, bad, R"(the name "t" is in the header twice)"},
        {"{\"t\":" + one + ",\"u\":" + one + "}", 1, bad, R"(begins inside the data of tensor "t")"},
        {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
         R"("b":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}})",
         4, bad, R"(tensor b: at byte)"},
    };
}

} // namespace

TEST_CASE("headers that are not what the format says are refused in words", "[io][safetensors]") {
    std::vector<refusal> table = broken_json();
    for (refusal& entry : broken_tensors())
        table.push_back(std::move(entry));
    for (const refusal& entry : table) {
        INFO(printable(entry.json, 200));
        const error e = thrown_by([&] { layout_of(entry.json, entry.data_bytes); });
        INFO(e.what());
        CHECK(e.code() == entry.code);
        CHECK(contains(e.what(), entry.says));
        CHECK(e.file() == "test.safetensors");
    }
}

TEST_CASE("errors name the tensor and the place", "[io][safetensors]") {
    const error named =
        thrown_by([] { layout_of(R"({"lm_head.weight":{"shape":[1],"data_offsets":[0,1]}})", 1); });
    CHECK(named.tensor() == "lm_head.weight");
    // The 19th character of the JSON, which begins behind 8 bytes of length.
    const error syntax = thrown_by([] { layout_of("{\"__metadata__\":{}]", 0); });
    CHECK(syntax.offset() == 8u + 18u);
    const error escape = thrown_by([] { layout_of("{\"\\u001b[31m\":{}}", 0); });
    CHECK(escape.tensor() == "\\x1b[31m");
}

TEST_CASE("a file that cannot hold its header is refused before anything is allocated", "[io][safetensors]") {
    const auto refused = [](byte_buffer bytes) {
        return thrown_by([&] { read_safetensors_header(memory_source(std::move(bytes), "f")); });
    };
    CHECK(refused({}).code() == errc::truncated);
    CHECK(refused(byte_buffer(7, 0)).code() == errc::truncated);
    CHECK(refused(byte_buffer(8, 0)).code() == errc::invalid_input);
    byte_buffer bytes = file_of("{}", 0);
    bytes.pop_back();
    CHECK(contains(refused(bytes).what(), "announces 2 bytes of JSON, but the file has only 1"));
    store_le(bytes.data(), std::uint64_t{100'000'000});
    CHECK(refused(bytes).code() == errc::truncated);
    store_le(bytes.data(), std::uint64_t{100'000'001});
    CHECK(contains(refused(bytes).what(), "no more than 100000000"));
    store_le(bytes.data(), ~std::uint64_t{0});
    CHECK(refused(bytes).code() == errc::invalid_input);
    CHECK(
        contains(refused(to_bytes("version https://git-lfs.github.com/spec/v1")).hint(), "Git LFS pointer"));
    CHECK(contains(refused(to_bytes("PK\x03\x04.............")).hint(), "zip archive"));
    CHECK(contains(refused(to_bytes("<!DOCTYPE html><html>")).hint(), "web page"));
}

TEST_CASE("the header must be exactly as long as it says", "[io][safetensors]") {
    byte_buffer header = header_of("{}");
    CHECK(parse_safetensors_header(header, 10).tensors.empty());
    header.push_back(' ');
    CHECK(contains(thrown_by([&] { parse_safetensors_header(header, 11); }).what(), "11 bytes long"));
    CHECK(thrown_by([&] { parse_safetensors_header(bytes_view(header).first(9), 11); }).code() ==
          errc::invalid_input);
    CHECK(thrown_by([&] { parse_safetensors_header(header, 9); }).code() == errc::truncated);
}

TEST_CASE("odd but legal headers are accepted", "[io][safetensors]") {
    CHECK(layout_of("{}", 0).tensors.empty());
    CHECK(layout_of("{}      \n\t ", 17).header_bytes == 19);
    CHECK(layout_of(R"({"__metadata__":null})", 0).metadata.empty());
    const auto only = layout_of(R"({"__metadata__":{"b":"1","a":"","":"\u00e9"}})", 0);
    REQUIRE(only.metadata.size() == 3);
    CHECK(only.metadata[0] == std::pair<std::string_view, std::string_view>("b", "1"));
    CHECK(only.metadata[2] == std::pair<std::string_view, std::string_view>("", "\xc3\xa9"));
    CHECK(layout_of(tensor(R"("dtype":"F32","shape":[],"data_offsets":[0,4])"), 4).tensors[0].shape.empty());
    CHECK(layout_of(tensor(R"("dtype":"F4","shape":[2,3],"data_offsets":[0,3])"), 3).tensors.size() == 1);
    CHECK(layout_of(tensor(R"("dtype":"C128","shape":[2],"data_offsets":[0,32])"), 32).tensors.size() == 1);
    // Without elements, however large the other extents are.
    const auto none =
        tensor(R"("dtype":"F32","shape":[18446744073709551615,4294967296,0],"data_offsets":[0,0])");
    CHECK(layout_of(none, 0).tensors[0].shape.size() == 3);
    // A dtype that nobody knows: any size.
    CHECK(layout_of(tensor(R"("dtype":"Q7_K","shape":[9],"data_offsets":[1,4])"), 4).tensors[0].dtype_name ==
          "Q7_K");
    CHECK(layout_of(tensor(R"("dtype":"","shape":[9],"data_offsets":[0,0])"), 0).tensors.size() == 1);
    // Fields that the format does not name, in any order.
    const auto extra = tensor(
        R"("x":{"dtype":"F64","y":[1,{"z":[-1.5,null,true,"s"]}]},"data_offsets":[0,1],"n":null,"f":-1e3,)"
        R"("b":false,"s":"","shape":[1],"dtype":"U8","e":[])");
    CHECK(layout_of(extra, 1).tensors[0].dtype_name == "U8");
    CHECK(layout_of(nested(62), 0).tensors.size() == 1);
    CHECK(layout_of(R"({"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0).tensors[0].name.empty());
}

TEST_CASE("tensors come in the order of the file, gaps and all", "[io][safetensors]") {
    const auto layout = layout_of(R"({"c":{"dtype":"U8","shape":[2],"data_offsets":[6,8]},)"
                                  R"("z2":{"dtype":"U8","shape":[0],"data_offsets":[6,6]},)"
                                  R"("a":{"dtype":"U8","shape":[3],"data_offsets":[1,4]},)"
                                  R"("z1":{"dtype":"U8","shape":[0],"data_offsets":[6,6]}})",
                                  10);
    REQUIRE(layout.tensors.size() == 4);
    CHECK(layout.file_bytes == layout.header_bytes + 10);
    CHECK(layout.tensors[0].name == "a");
    CHECK(layout.tensors[0].begin == layout.header_bytes + 1);
    CHECK(layout.tensors[0].end == layout.header_bytes + 4);
    CHECK(layout.tensors[1].name == "z2"); // same place: the order of the header decides
    CHECK(layout.tensors[2].name == "z1");
    CHECK(layout.tensors[3].name == "c");
}

TEST_CASE("the time for a header of 100,000 tensors is not quadratic", "[io][safetensors]") {
    std::string json = "{";
    for (std::size_t i = 0; i < 100'000; ++i)
        json += (i ? ",\"model.layers." : "\"model.layers.") + std::to_string(i) +
                ".mlp.experts.gate.weight\":{\"dtype\":\"BF16\",\"shape\":[2,2],\"data_offsets\":[" +
                std::to_string(8 * i) + "," + std::to_string(8 * i + 8) + "]}";
    json += "}";
    const byte_buffer header = header_of(json);
    const auto start = std::chrono::steady_clock::now();
    const auto layout = parse_safetensors_header(header, header.size() + 800'000);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    CHECK(layout.tensors.size() == 100'000);
    INFO(header.size() << " bytes of header parsed in " << took.count() << " s");
    CHECK(took.count() < 20); // room for sanitizers and loaded machines; quadratic code takes minutes
}

TEST_CASE("many keys in hostile places cost no more than their number", "[io][safetensors]") {
    std::string json = R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0])";
    for (int i = 0; i < 200'000; ++i)
        json += ",\"" + std::to_string(i) + "\":0";
    CHECK(layout_of(json + "}}", 0).tensors.size() == 1);
    const std::string rank = R"({"t":{"dtype":"U8","data_offsets":[0,0],"shape":[0)";
    std::string zeros;
    for (int i = 1; i < 65536; ++i)
        zeros += ",0";
    CHECK(layout_of(rank + zeros + "]}}", 0).tensors[0].shape.size() == 65536);
    CHECK(contains(thrown_by([&] { layout_of(rank + zeros + ",0]}}", 0); }).what(), "more than 65536 dimensions"));
}

TEST_CASE("every prefix and every changed byte of a header gives an error or a layout", "[io][safetensors]") {
    const byte_buffer whole =
        file_of(R"({"__metadata__":{"k":"v"},"a":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]}} )", 2);
    const auto attempt = [](byte_buffer bytes) {
        try {
            const auto layout = read_safetensors_layout(memory_source(std::move(bytes)));
            for (const tensor_record& t : layout.tensors)
                if (t.begin > t.end || t.end > layout.file_bytes) return false;
            return true;
        } catch (const error& e) {
            return e.code() == errc::invalid_input || e.code() == errc::truncated;
        }
    };
    for (std::size_t n = 0; n < whole.size(); ++n) {
        const byte_buffer prefix(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
        CHECK_THROWS_AS(read_safetensors_layout(memory_source(prefix)), error);
    }
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (unsigned change = 1; change < 256; ++change) {
            byte_buffer bytes = whole;
            bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ change);
            if (!attempt(std::move(bytes))) FAIL("byte " << at << " changed by " << change);
        }
    SUCCEED();
}

TEST_CASE("all files of the shared data are read", "[io][safetensors][data]") {
    const std::filesystem::path data = shared_data();
    if (!std::filesystem::is_directory(data)) SKIP("there is no " << data.string());
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data)) {
        if (entry.path().extension() != ".safetensors") continue;
        INFO(entry.path().string());
        const mapped_source file(entry.path());
        const auto layout = read_safetensors_layout(file);
        CHECK(layout == parse_safetensors_header(file.bytes().first(layout.header_bytes), file.size()));
        std::uint64_t position = layout.header_bytes;
        for (const tensor_record& t : layout.tensors) {
            CHECK(t.begin >= position);
            position = t.end;
        }
        CHECK(position <= file.size());
        ++files;
    }
    CHECK(files > 0);
}
