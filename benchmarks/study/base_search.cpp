// SPDX-License-Identifier: BSL-1.0
// The search for the nearest base, measured: base_search DIRECTORY [MODELS]
//
// 1. How near the estimate of a patch's size comes to the blocks of the delta coder, on generated pairs of all kinds.
// 2. How long the search takes among MODELS (default 300) generated models below DIRECTORY, which is made and removed:
//    without fingerprints, with them, and among models of many tensors.
//
//   c++ -std=c++20 -O2 -Iinclude -Itests benchmarks/study/base_search.cpp -lboost_iostreams -lzstd -lcrypto -ltbb
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <bigsmall/archive/base_search.hpp>
#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/codec/delta/delta_codec.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "support/model_files.hpp"

namespace {

using namespace support;
namespace fs = std::filesystem;

struct generated_tensor {
    std::string name, dtype;
    std::vector<std::uint64_t> shape;
    std::vector<float> values;
};
using generated_model = std::vector<generated_tensor>;

byte_buffer bytes_of(const generated_tensor& tensor) {
    const archive::detail::word_type type = archive::detail::word_type_of(archive::detail::dtype_number(tensor.dtype));
    byte_buffer bytes(tensor.values.size() * type.bytes);
    for (std::size_t i = 0; i < tensor.values.size(); ++i) {
        std::uint32_t bits = 0;
        std::memcpy(&bits, &tensor.values[i], 4);
        if (type.bytes == 2)
            store_le(bytes.data() + 2 * i,
                     static_cast<std::uint16_t>(archive::detail::word_of(double{tensor.values[i]}, type)));
        else
            store_le(bytes.data() + 4 * i, bits);
    }
    return bytes;
}

void write_model(const fs::path& path, const generated_model& model) {
    safetensors_builder file;
    for (const generated_tensor& tensor : model)
        file.add(tensor.name, tensor.dtype, tensor.shape, bytes_of(tensor));
    write_file(path, file.build());
}

generated_model transformer(std::uint64_t width, std::size_t layers, const std::string& dtype, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal;
    generated_model model;
    const auto add = [&](const std::string& name, std::vector<std::uint64_t> shape, float scale, float middle) {
        std::vector<float> values(static_cast<std::size_t>(shape[0] * (shape.size() > 1 ? shape[1] : 1)));
        for (float& value : values)
            value = middle + scale * normal(random);
        model.push_back({name, dtype, std::move(shape), std::move(values)});
    };
    add("model.embed_tokens.weight", {8 * width, width}, 0.02f, 0);
    for (std::size_t i = 0; i < layers; ++i) {
        const std::string layer = "model.layers." + std::to_string(i) + ".";
        for (const char* name : {"q_proj", "k_proj", "v_proj", "o_proj"})
            add(layer + "self_attn." + name + ".weight", {width, width}, 0.02f, 0);
        add(layer + "mlp.up_proj.weight", {4 * width, width}, 0.02f, 0);
        add(layer + "mlp.down_proj.weight", {width, 4 * width}, 0.01f, 0);
        add(layer + "input_layernorm.weight", {width}, 0.1f, 1);
    }
    add("model.norm.weight", {width}, 0.1f, 1);
    return model;
}

using update = std::function<float(const std::string& name, float value, std::mt19937_64& random)>;

generated_model updated(generated_model model, const update& change, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (generated_tensor& tensor : model)
        for (float& value : tensor.values)
            value = change(tensor.name, value, random);
    return model;
}

float normal_number(std::mt19937_64& random) { return std::normal_distribution<float>()(random); }

update of_weight(float size) {
    return [size](const std::string&, float value, std::mt19937_64& random) {
        return value * (1 + size * normal_number(random));
    };
}
update of_scale(float size) {
    return [size](const std::string&, float value, std::mt19937_64& random) {
        return value + 0.02f * size * normal_number(random);
    };
}
update sparse(double share, float size) {
    return [=](const std::string&, float value, std::mt19937_64& random) {
        const bool change = std::uniform_real_distribution<>()(random) < share;
        return change ? value + 0.02f * size * normal_number(random) : value;
    };
}
update only(const std::string& part, update change) {
    return [=](const std::string& name, float value, std::mt19937_64& random) {
        return name.find(part) == std::string::npos ? value : change(name, value, random);
    };
}

/// Coded bytes of all tensors, block by block the smaller of difference and standalone.
double coded_share(const archive::model_reader& target, const archive::model_reader& base) {
    const codec_ref& alone = archive::default_codec();
    scratch memory;
    std::uint64_t coded = 0, raw = 0;
    for (std::size_t t = 0; t < target.tensors().size(); ++t) {
        const archive::model_tensor& tensor = target.tensors()[t];
        byte_buffer bytes(static_cast<std::size_t>(tensor.bytes)), theirs(bytes.size());
        target.read(t, 0, bytes);
        for (std::size_t b = 0; b < base.tensors().size(); ++b)
            if (base.tensors()[b].name == tensor.name && base.tensors()[b].bytes == tensor.bytes)
                base.read(b, 0, theirs);
        for (std::size_t at = 0; at < bytes.size(); at += std::size_t{1} << 20) {
            const bytes_view block = bytes_view(bytes).subspan(at, std::min<std::size_t>(bytes.size() - at, 1 << 20));
            byte_buffer out(std::max(alone.bound(block.size()), delta_codec::bound(block.size())));
            const std::size_t size = alone.encode({tensor.type}, block, out, memory).bytes;
            const auto delta = delta_codec::encode(tensor.type, block, bytes_view(theirs).subspan(at, block.size()),
                                                   size, out, memory);
            coded += delta ? delta->bytes : size;
            raw += block.size();
        }
    }
    return static_cast<double>(coded) / static_cast<double>(raw);
}

void compare(const std::string& what, const fs::path& target, const fs::path& base) {
    const archive::model_reader a(target), b(base);
    const archive::base_estimate estimate =
        archive::patch_estimator(archive::fingerprint_of(a)).estimate(archive::fingerprint_of(b));
    const double coded = coded_share(a, b);
    std::printf("| %s | %.2f | %.2f | %+.2f |\n", what.c_str(), 100 * estimate.share, 100 * coded,
                100 * (estimate.share - coded));
}

void study_estimates(const fs::path& directory) {
    std::printf("| pair | estimated %% | coded %% | off by |\n|---|---|---|---|\n");
    struct kind {
        std::string name;
        update change;
    };
    std::vector<kind> kinds{{"unrelated", nullptr}};
    for (const float s : {3e-4f, 1e-3f, 3e-3f, 1e-2f, 0.1f, 1.0f}) {
        char size[32];
        std::snprintf(size, sizeof size, "%g", double{s});
        kinds.push_back({std::string("each by ") + size + " of itself", of_weight(s)});
        kinds.push_back({std::string("each by ") + size + " of the deviation", of_scale(s)});
    }
    kinds.push_back({"1 % by 0.01", sparse(0.01, 0.01f)});
    kinds.push_back({"10 % by 0.1", sparse(0.1, 0.1f)});
    kinds.push_back({"q_proj only, by 0.1", only("q_proj", of_scale(0.1f))});
    kinds.push_back({"layers 1 and 10 to 19 only, by 0.01", only("layers.1", of_scale(0.01f))});
    for (const std::string dtype : {"BF16", "F16", "F32"}) {
        for (const std::size_t layers : {1u, 12u}) {
            const generated_model base = transformer(128, layers, dtype, 1);
            write_model(directory / "base.safetensors", base);
            for (const kind& k : kinds) {
                write_model(directory / "target.safetensors",
                            k.change ? updated(base, k.change, 2) : transformer(128, layers, dtype, 2));
                compare(dtype + ", " + std::to_string(layers) + " layers, " + k.name, directory / "target.safetensors",
                        directory / "base.safetensors");
            }
        }
    }
}

void time_search(const std::string& what, const fs::path& target, const fs::path& models) {
    parallel::tbb_executor threads(2);
    archive::base_search_options search;
    search.directories = {models};
    const auto start = std::chrono::steady_clock::now();
    const archive::base_search_result found =
        archive::find_base(archive::model_reader(target), search, archive::run_options{}, threads);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const auto cached = std::count_if(found.ranked.begin(), found.ranked.end(), [](const auto& r) { return r.cached; });
    std::printf("%s: %.3f s, %zu models, %td of them known; %s\n", what.c_str(), seconds, found.ranked.size(), cached,
                found.verdict.c_str());
}

/// Times in the past: what is younger than two seconds is not remembered.
void make_old(const fs::path& directory) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory))
        if (entry.is_regular_file())
            fs::last_write_time(entry.path(), fs::last_write_time(entry.path()) - std::chrono::hours(1));
}

void study_time(const fs::path& directory, std::size_t models) {
    generated_model base;
    for (std::size_t i = 0; i < models; ++i) {
        if (i % 10 == 0) base = transformer(64, 6, "BF16", 100 + i);
        const auto size = 0.002f * static_cast<float>(i % 10 + 1);
        write_model(directory / "many" / ("m" + std::to_string(i)) / "model.safetensors",
                    updated(base, of_scale(size), i));
    }
    write_model(directory / "target.safetensors", updated(base, of_scale(0.001f), 7));
    make_old(directory / "many");
    time_search("small models, first", directory / "target.safetensors", directory / "many");
    time_search("small models, again", directory / "target.safetensors", directory / "many");

    safetensors_builder large;
    for (std::size_t i = 0; i < 30'000; ++i)
        large.add("model.layers." + std::to_string(i / 500) + ".mlp.experts." + std::to_string(i % 500) + ".w", "BF16",
                  gaussian_bf16(32, i));
    const byte_buffer file = large.build();
    for (std::size_t i = 0; i < models / 10; ++i)
        write_file(directory / "large" / (std::to_string(i) + ".safetensors"), file);
    make_old(directory / "large");
    write_file(directory / "target.safetensors", file);
    time_search("30,000 tensors, first", directory / "target.safetensors", directory / "large");
    time_search("30,000 tensors, again", directory / "target.safetensors", directory / "large");
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2 || fs::exists(argv[1])) {
        std::fprintf(stderr, "usage: base_search DIRECTORY-TO-MAKE [MODELS]\n");
        return 2;
    }
    const fs::path directory = argv[1];
    fs::create_directories(directory);
    study_estimates(directory);
    study_time(directory, argc > 2 ? static_cast<std::size_t>(std::atoi(argv[2])) : 300);
    fs::remove_all(directory);
}
