// SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <sys/mman.h>

#include "benchmark/peak_memory.hpp"
#include "benchmark/result.hpp"
#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace bigsmall::app;
using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

benchmark_result made_up() {
    benchmark_result result;
    result.source = "m.safetensors";
    result.source_bytes = 1000;
    result.threads = 2;
    result.rounds = 3;
    point_figures figures;
    figures.point = archive::operating_point::storage;
    figures.compressed_bytes = 655;
    figures.encode_ns = 2000;
    figures.decode_ns = 1000;
    figures.codec = {800, 400, 1600, 100};
    figures.decode_peak = 3 * MiB;
    figures.layers = {{"norm", 2, 500, 300}};
    result.points.push_back(figures);
    return result;
}

} // namespace

TEST_CASE("the figures of a benchmark are rates of what they timed", "[apps][benchmark]") {
    const json out = json_of(made_up());
    const json& point = out.at("points").at(0);
    CHECK(point.at("encode_bytes_per_second") == 500000000u);
    CHECK(point.at("decode_bytes_per_second") == 1000000000u);
    CHECK(point.at("codec_decode_bytes_per_second") == 2000000000u);
    CHECK(point.at("codec_encode_bytes_per_second") == 500000000u);
    CHECK(point.at("memcpy_bytes_per_second") == 8000000000u);
    CHECK(point.at("codec_decode_memcpy_multiple") == 0.25);
    CHECK(point.at("decode_memcpy_multiple") == 0.125);
    CHECK(point.at("ratio_pct") == 65.5);
    CHECK(point.at("encode_peak_rss_bytes").is_null());
    CHECK(point.at("decode_peak_rss_bytes") == 3 * MiB);
    CHECK(out.at("output").is_null());
    const std::string text = text_of(made_up());
    CHECK_THAT(text, ContainsSubstring("not available") && ContainsSubstring("3.00 MiB") && ContainsSubstring("0.250"));
}

TEST_CASE("every field of the JSON of a benchmark is described", "[apps][benchmark]") {
    const json out = json_of(made_up());
    std::vector<std::string> names;
    for (const auto& [key, value] : out.items())
        names.push_back(key);
    for (const auto& [key, value] : out.at("points").at(0).items())
        names.push_back("points[]." + key);
    for (const auto& [key, value] : out.at("points").at(0).at("layers").at(0).items())
        names.push_back("points[].layers[]." + key);
    const std::vector<json_field> fields = benchmark_fields();
    CHECK(fields.size() == names.size());
    for (const json_field& field : fields) {
        INFO(field.name);
        CHECK(std::find(names.begin(), names.end(), field.name) != names.end());
    }
}

TEST_CASE("nothing timed is no speed and no chart of infinities", "[apps][benchmark]") {
    benchmark_result result = made_up();
    result.points[0].codec = {};
    result.points[0].encode_ns = 0;
    CHECK_THAT(text_of(result), !ContainsSubstring("inf") && !ContainsSubstring("nan"));
    CHECK_THAT(chart_of(result), !ContainsSubstring("inf") && !ContainsSubstring("nan"));
    CHECK_THAT(chart_of(made_up()), ContainsSubstring(">storage 65.50%<") && ContainsSubstring(">memcpy 100.00%<"));
}

TEST_CASE("layers carry the reference's labels", "[apps][benchmark]") {
    archive::archive_summary summary;
    for (const char* name : {"model.layers.0.mlp.gate.weight", "model.layers.0.mlp.experts.0.bias", "conv1.weight",
                             "lm_head.weight", "something"}) {
        archive::tensor_summary tensor;
        tensor.place = archive::place_of(name);
        tensor.raw_bytes = std::string(name) == "lm_head.weight" ? 100 : 10;
        tensor.stored_bytes = 5;
        summary.tensors.push_back(tensor);
    }
    const std::vector<layer_line> lines = layers_of(summary);
    REQUIRE(lines.size() == 3);
    CHECK(lines[0].label == "lm_head");
    CHECK(lines[1].label == "mlp_other");
    CHECK(lines[1].tensors == 2);
    CHECK(lines[2].label == "other");
    CHECK(lines[2].raw_bytes == 20);
    CHECK(lines[2].stored_bytes == 10);
}

TEST_CASE("the peak of memory sees what is held and freed again", "[apps][benchmark]") {
    const peak_memory before;
    const auto low = before.bytes();
    if (!low) SKIP("the system does not tell");
    // Not from the heap, which may keep what is freed.
    void* const pages = ::mmap(nullptr, 64 * MiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(pages != MAP_FAILED);
    std::memset(pages, 1, 64 * MiB);
    ::munmap(pages, 64 * MiB);
    CHECK(*before.bytes() >= *low + 48 * MiB);
    const peak_memory after;
    CHECK(*after.bytes() < *low + 48 * MiB);
}

TEST_CASE("the codec is timed on all bytes, or on a part of many", "[archive][benchmark]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    write_file(dir / "model" / "big.safetensors",
               safetensors_builder().add("w", "BF16", gaussian_bf16(1 << 20, 1)).add("none", "F32", {0}, {}).build());
    pack(dir / "model", dir / "m.bs", archive::pack_options());
    parallel::serial_executor e;
    const archive::opened_archive opened(dir / "m.bs");
    std::uint64_t bytes = 0;
    for (const io::content_entry& content : opened.containers()[0].index().contents)
        bytes += content.raw_bytes;
    const codec_ref codec = archive::default_codec();
    const archive::codec_timing all = archive::time_codec(opened, codec, 0, {}, e);
    CHECK(all.raw_bytes == bytes);
    CHECK((all.decode_ns > 0 && all.encode_ns > 0 && all.copy_ns > 0));
    CHECK(archive::time_codec(opened, codec, 1 << 20, {}, e).raw_bytes <= bytes);
    parallel::cancel_token stop;
    stop.request();
    archive::run_options options;
    options.cancel = &stop;
    CHECK(thrown_by([&] { archive::time_codec(opened, codec, 0, options, e); }).code() == errc::cancelled);
}
