// SPDX-License-Identifier: BSL-1.0
// Says in one line each what became of many blocks, so that two machines can be compared:
//   blocks GOLDEN_FOLDER
// Codes fixed inputs with every operating point and prints size and hash; decodes the golden blocks, of which those of
// the LZ coder are beyond the codec alone. All tables of this machine must agree first. Exit code 1: something is wrong
// here already.
#include <algorithm>
#include <bit>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <bigsmall/codec.hpp>
#include <bigsmall/codec/laws.hpp>

namespace {

using namespace bigsmall;
namespace fs = std::filesystem;

int failures = 0;

void check(bool holds, const std::string& what, const kernel::table& kernels) {
    if (holds) return;
    std::printf("FAIL: %s with %s\n", what.c_str(), std::string(kernels.name).c_str());
    ++failures;
}

// FNV-1a, 64 bits.
unsigned long long hash_of(bytes_view bytes) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (const std::uint8_t byte : bytes)
        hash = (hash ^ byte) * 0x100000001b3u;
    return hash;
}

struct input {
    const char* type;
    std::size_t row_elems;
    byte_buffer raw;
};

// Long enough for several pieces of a wavelet tree, with rows of two scales.
byte_buffer long_floats(std::size_t count, std::size_t width) {
    laws::fixed_random random(width);
    byte_buffer raw(count * width);
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t r = random();
        const auto exponent =
            static_cast<std::uint64_t>((i / 512 % 3 == 0 ? 118 : 124) - std::countr_zero(r | 1u << 20));
        const std::uint64_t word = (r >> 63) << 31 | exponent << 23 | (r >> 30 & 0x7fffff);
        for (std::size_t b = 0; b < width; ++b)
            raw[width * i + b] = static_cast<std::uint8_t>(word >> (8 * (4 - width + b)));
    }
    return raw;
}

std::vector<input> inputs() {
    std::vector<input> all;
    all.push_back({"BF16", 512, long_floats(300001, 2)});
    all.push_back({"F32", 512, long_floats(70001, 4)});
    all.push_back({"F8_E4M3", 512, long_floats(300001, 1)});
    const std::vector<byte_buffer> samples = laws::sample_streams();
    for (const byte_buffer& sample : samples)
        for (const char* type : {"BF16", "F32", "F64", "I16", "I32", "I64", "U8", "F8_E5M2"})
            if (!sample.empty()) all.push_back({type, 48, sample});
    return all;
}

template <class Policies>
void code(const char* point, const std::vector<input>& all) {
    constexpr codec_ref codec = ref_of<Policies, known_policies>();
    for (std::size_t k = 0; k < all.size(); ++k) {
        const input& each = all[k];
        const block_info info{*find_dtype(each.type), each.row_elems, 0};
        const std::string what = std::string(point) + ' ' + each.type + " input " + std::to_string(k);
        byte_buffer first;
        for (const kernel::table* kernels : kernel::runnable()) {
            scratch memory(*kernels);
            byte_buffer coded(codec.bound(each.raw.size()));
            coded.resize(codec.encode(info, each.raw, coded, memory).bytes);
            if (kernels == kernel::runnable().front()) first = coded;
            check(coded == first, what + ": other bytes", *kernels);
            byte_buffer back(each.raw.size(), 0xa5);
            check(codec.decode(first, back, memory) == status::ok && back == each.raw, what + ": not restored",
                  *kernels);
        }
        std::printf("%s: %zu of %zu bytes, hash %016llx\n", what.c_str(), first.size(), each.raw.size(),
                    hash_of(first));
    }
}

byte_buffer read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void decode_golden(const fs::path& folder) {
    std::vector<fs::path> blocks;
    for (const auto& entry : fs::directory_iterator(folder))
        if (entry.path().extension() == ".block") blocks.push_back(entry.path());
    std::sort(blocks.begin(), blocks.end());
    for (const fs::path& path : blocks) {
        const byte_buffer coded = read_file(path), raw = read_file(fs::path(path).replace_extension(".raw"));
        const std::string name = path.stem().string();
        // The signs of these were small enough for the LZ coder.
        const bool has_lz = name.ends_with("zstd") || name.starts_with("sign_");
        const status expected = has_lz ? status::unsupported : status::ok;
        for (const kernel::table* kernels : kernel::runnable()) {
            scratch memory(*kernels);
            byte_buffer back(raw.size(), 0xa5);
            const status found = known_policies::decode(coded, back, memory);
            check(found == expected && (found != status::ok || back == raw), "golden " + name, *kernels);
        }
        std::printf("golden %s: %s\n", name.c_str(), describe(expected));
    }
    check(!blocks.empty(), "golden blocks found", kernel::best());
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    decode_golden(argv[1]);
    const std::vector<input> all = inputs();
    code<storage_policies>("storage", all);
    code<balanced_policies>("balanced", all);
    code<inference_policies>("inference", all);
    return failures == 0 ? 0 : 1;
}
