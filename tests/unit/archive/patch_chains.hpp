// SPDX-License-Identifier: BSL-1.0
// Chains of patches of small models.
#pragma once

#include <functional>
#include <numeric>

#include <bigsmall/archive/squash.hpp>

#include "support/catch.hpp"
#include "unit/archive/patch_runs.hpp"

namespace support {

struct tensor {
    std::string dtype_name;
    std::vector<std::uint64_t> shape;
    byte_buffer bytes;
};
using tensors = std::map<std::string, tensor>;

inline tensor bf16(std::vector<std::uint64_t> shape, std::uint64_t seed) {
    const auto elems = std::accumulate(shape.begin(), shape.end(), std::uint64_t{1}, std::multiplies<>());
    return {"BF16", std::move(shape), gaussian_bf16(static_cast<std::size_t>(elems), seed)};
}

inline void write(const fs::path& path, const tensors& all, const std::string& note = "") {
    safetensors_builder file;
    if (!note.empty()) file.metadata("note", note);
    for (const auto& [name, one] : all)
        file.add(name, one.dtype_name, one.shape, one.bytes);
    write_file(path, file.build());
}

inline tensors model_of_layers() {
    tensors all;
    for (int layer = 0; layer < 4; ++layer) {
        const std::string name = "layers." + std::to_string(layer);
        const auto seed = static_cast<std::uint64_t>(10 * layer);
        all[name + ".q.weight"] = bf16({64, 64}, seed + 1);
        all[name + ".k.weight"] = bf16({64, 64}, seed + 2);
        all[name + ".up.weight"] = bf16({128, 64}, seed + 3);
        all[name + ".norm.weight"] = bf16({64}, seed + 4);
        all[name + ".norm.bias"] = bf16({64}, seed + 5);
    }
    all["embed.weight"] = bf16({300, 64}, 100);
    return all;
}

/// The same numbers as BF16 has.
inline byte_buffer in_f32(const byte_buffer& narrow) {
    byte_buffer wide;
    for (std::size_t i = 0; i < narrow.size(); i += 2)
        wide.insert(wide.end(), {0, 0, narrow[i], narrow[i + 1]});
    return wide;
}

inline void train(tensors& all, const std::string& name, std::uint64_t seed) {
    all.at(name).bytes = trained(all.at(name).bytes, seed);
}

/// Files step-0, step-1..., each a patch against the one before: step-1.bs and so on.
class chain {
public:
    explicit chain(const tensors& base) { write(file(0), base, "0"); }

    void add(const tensors& next) {
        ++steps_;
        write(file(steps_), next, std::to_string(steps_));
        pack(file(steps_), patch(steps_), against(file(steps_ - 1)));
    }

    fs::path file(int step) const { return dir_ / ("step-" + std::to_string(step) + ".safetensors"); }
    fs::path patch(int step) const { return dir_ / ("step-" + std::to_string(step) + ".bs"); }
    std::vector<fs::path> patches() const {
        std::vector<fs::path> all;
        for (int step = 1; step <= steps_; ++step)
            all.push_back(patch(step));
        return all;
    }
    const temporary_directory& dir() const { return dir_; }

    archive::pack_result squash(const archive::pack_options& options = small_blocks()) const {
        parallel::serial_executor e;
        return archive::squash(patches(), dir_ / "squashed.bs", options, e);
    }

    /// Squashes without the base, and looks at what comes back; the bytes of the patch.
    std::uint64_t squashed_bytes() const {
        const archive::pack_result made = squash();
        CHECK(made.source_bytes == fs::file_size(file(steps_)));
        const fs::path squashed = dir_ / "squashed.bs";
        CHECK(made.compressed_bytes == fs::file_size(squashed));
        apply(file(0), squashed, dir_ / "back.safetensors");
        CHECK(read_file(dir_ / "back.safetensors") == read_file(file(steps_)));
        fs::remove(dir_ / "back.safetensors");
        CHECK(verify_with(squashed, file(0)).ok);
        fs::remove(squashed);
        return made.compressed_bytes;
    }

    /// What it must be near to: the patch that is made of the files.
    std::uint64_t direct_bytes() const {
        const archive::pack_result made = pack(file(steps_), dir_ / "direct.bs", against(file(0)));
        fs::remove(dir_ / "direct.bs");
        return made.compressed_bytes;
    }

private:
    temporary_directory dir_;
    int steps_ = 0;
};

} // namespace support
