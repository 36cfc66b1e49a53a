// SPDX-License-Identifier: BSL-1.0
// Patches: what differs from a base comes back with it, and with nothing else.
#include <bit>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <bigsmall/archive/apply_patch.hpp>
#include <bigsmall/archive/open_model.hpp>
#include <bigsmall/archive/pack.hpp>
#include <bigsmall/archive/unpack.hpp>
#include <bigsmall/archive/verify.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "patch_runs.hpp"
#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

byte_buffer embedding() { return gaussian_bf16(200 * 64, 1); }
byte_buffer frozen() { return gaussian_bf16(64 * 64, 2); }
byte_buffer layer() { return gaussian_bf16(100 * 64, 3); }

byte_buffer base_file() {
    safetensors_builder file;
    file.metadata("step", "0").add("embed", "BF16", {200, 64}, embedding()).add("frozen", "BF16", {64, 64}, frozen());
    return file.add("layer", "BF16", {100, 64}, layer()).add("count", "I64", noise(64, 4)).build();
}

byte_buffer fine_tune() {
    safetensors_builder file;
    byte_buffer grown = trained(embedding(), 5);
    const byte_buffer more = gaussian_bf16(3 * 64, 6);
    grown.insert(grown.end(), more.begin(), more.end());
    file.metadata("step", "1000").gap(noise(3, 7)).add("embed", "BF16", {203, 64}, grown);
    file.add("frozen", "BF16", {64, 64}, frozen()).add("layer", "BF16", {100, 64}, trained(layer(), 8));
    return file.add("new", "F32", {10}, noise(40, 9)).add("count", "I64", noise(64, 10)).build();
}

void write_pair(const temporary_directory& dir) {
    write_file(dir / "base.safetensors", base_file());
    write_file(dir / "tuned.safetensors", fine_tune());
}

} // namespace

TEST_CASE("a patch and its base give the fine-tune back, to the last byte", "[archive][patch]") {
    const temporary_directory dir;
    write_pair(dir);
    const auto alone = pack(dir / "tuned.safetensors", dir / "alone.bs");
    const auto packed = pack(dir / "tuned.safetensors", dir / "p.bs", against(dir / "base.safetensors"));
    CHECK(packed.compressed_bytes * 2 < alone.compressed_bytes);
    REQUIRE(packed.patch);
    CHECK(packed.patch->matched_tensors == 3); // "count" would not pay for naming its base
    CHECK(packed.patch->unchanged_tensors == 1);
    CHECK(packed.patch->unchanged_bytes == frozen().size());
    CHECK(packed.patch->matched_bytes > packed.patch->unchanged_bytes);

    apply(dir / "base.safetensors", dir / "p.bs", dir / "back.safetensors");
    CHECK(read_file(dir / "back.safetensors") == fine_tune());
    CHECK_FALSE(pack(dir / "tuned.safetensors", dir / "again.bs").patch);
}

TEST_CASE("a patch without its base says what it needs", "[archive][patch]") {
    const temporary_directory dir;
    write_pair(dir);
    pack(dir / "tuned.safetensors", dir / "p.bs", against(dir / "base.safetensors"));
    const error without = thrown_by([&] { unpack(dir / "p.bs", dir / "back.safetensors"); });
    CHECK(without.code() == errc::invalid_argument);
    CHECK_THAT(without.message(), ContainsSubstring("base.safetensors"));
    CHECK_FALSE(fs::exists(dir / "back.safetensors"));
    pack(dir / "tuned.safetensors", dir / "alone.bs");
    const error needless =
        thrown_by([&] { apply(dir / "base.safetensors", dir / "alone.bs", dir / "back.safetensors"); });
    CHECK(needless.code() == errc::invalid_argument);
}

TEST_CASE("another base is refused before anything is written, and both are named", "[archive][patch]") {
    const temporary_directory dir;
    write_pair(dir);
    pack(dir / "tuned.safetensors", dir / "p.bs", against(dir / "base.safetensors"));
    byte_buffer other = base_file();
    SECTION("one bit of a tensor that is used") { other[other.size() - 64 - 2] ^= 1; } // the last bytes of "layer"
    SECTION("one bit of a tensor that equals its own") {
        other[other.size() - 64 - layer().size() - 2] ^= 1; // the last bytes of "frozen"
    }
    SECTION("a tensor is not there") {
        other = safetensors_builder().add("embed", "BF16", {200, 64}, embedding()).build();
    }
    write_file(dir / "other.safetensors", other);
    const auto before = read_tree(dir.path());
    const error refused = thrown_by([&] { apply(dir / "other.safetensors", dir / "p.bs", dir / "x.safetensors"); });
    CHECK(refused.code() == errc::mismatch);
    CHECK_THAT(refused.message(), ContainsSubstring("other.safetensors"));
    CHECK_THAT(refused.message(), ContainsSubstring("base.safetensors"));
    CHECK_THAT(refused.message(), ContainsSubstring("SHA-256"));
    CHECK(read_tree(dir.path()) == before);
}

TEST_CASE("the base may lie in other files than it did", "[archive][patch]") {
    const temporary_directory dir;
    write_pair(dir);
    pack(dir / "tuned.safetensors", dir / "p.bs", against(dir / "base.safetensors"));
    write_file(
        dir / "shards" / "a.safetensors",
        safetensors_builder().add("layer", "BF16", {100, 64}, layer()).add("count", "I64", noise(64, 4)).build());
    write_file(dir / "shards" / "b.safetensors", safetensors_builder()
                                                     .add("frozen", "BF16", {64, 64}, frozen())
                                                     .add("embed", "BF16", {200, 64}, embedding())
                                                     .build());
    pack(dir / "base.safetensors", dir / "base.bs");
    pack_per_shard(dir / "shards", dir / "shards-bs");
    for (const char* base : {"shards", "base.bs", "shards-bs"}) {
        apply(dir / base, dir / "p.bs", dir / (std::string(base) + ".back"));
        CHECK(read_file(dir / (std::string(base) + ".back")) == fine_tune());
    }
    // It may be an archive when the patch is made, too: the same patch but for names.
    pack(dir / "tuned.safetensors", dir / "q.bs", against(dir / "base.bs"));
    apply(dir / "base.safetensors", dir / "q.bs", dir / "back.safetensors");
    CHECK(read_file(dir / "back.safetensors") == fine_tune());
}

TEST_CASE("directories are patched with everything in them", "[archive][patch]") {
    const temporary_directory dir;
    write_sharded_model(dir / "base");
    fs::copy(dir / "base", dir / "tuned", fs::copy_options::recursive);
    for (const auto& entry : fs::directory_iterator(dir / "tuned")) {
        if (entry.path().extension() != ".safetensors") continue;
        byte_buffer bytes = read_file(entry.path());
        for (std::size_t i = bytes.size() / 2; i < bytes.size(); i += 40)
            bytes[i] ^= 1;
        write_file(entry.path(), bytes);
    }
    write_file(dir / "tuned" / "notes.txt", "only here");
    const auto packed = pack(dir / "tuned", dir / "p.bs", against(dir / "base"));
    CHECK(packed.patch->matched_tensors == packed.tensors);
    apply(dir / "base", dir / "p.bs", dir / "back");
    CHECK(read_tree(dir / "back") == read_tree(dir / "tuned"));
}

TEST_CASE("a patch against the result of a patch", "[archive][patch]") {
    const temporary_directory dir;
    std::vector<byte_buffer> steps{layer()};
    for (std::uint64_t s = 1; s < 4; ++s)
        steps.push_back(trained(steps.back(), 20 + s));
    const auto file_of = [&](std::size_t s) { return dir / ("step" + std::to_string(s) + ".safetensors"); };
    const auto patch_of = [&](std::size_t s) { return dir / ("p" + std::to_string(s) + ".bs"); };
    for (std::size_t s = 0; s < steps.size(); ++s) {
        safetensors_builder file;
        file.add("frozen", "BF16", {64, 64}, frozen()).add("layer", "BF16", {100, 64}, steps[s]);
        write_file(file_of(s), file.build());
        if (s > 0) pack(file_of(s), patch_of(s), against(file_of(s - 1)));
    }
    model_pointer base = model(file_of(0));
    for (std::size_t s = 1; s + 1 < steps.size(); ++s)
        base = model(patch_of(s), base);
    archive::unpack_options options;
    options.base = base;
    unpack(patch_of(3), dir / "back.safetensors", options);
    CHECK(read_file(dir / "back.safetensors") == read_file(file_of(3)));
    // A link of the chain left out.
    options.base = model(patch_of(1), model(file_of(0)));
    CHECK(thrown_by([&] { unpack(patch_of(3), dir / "x.safetensors", options); }).code() == errc::mismatch);
}

TEST_CASE("a patch of models that have nothing in common is a patch all the same", "[archive][patch]") {
    const temporary_directory dir;
    write_file(dir / "base.safetensors", safetensors_builder().add("a", "F32", noise(4000, 1)).build());
    write_file(dir / "tuned.safetensors", safetensors_builder().add("b", "BF16", gaussian_bf16(3000, 2)).build());
    const auto alone = pack(dir / "tuned.safetensors", dir / "alone.bs");
    const auto packed = pack(dir / "tuned.safetensors", dir / "p.bs", against(dir / "base.safetensors"));
    CHECK(packed.patch->matched_tensors == 0);
    CHECK(packed.compressed_bytes <= alone.compressed_bytes + 200);
    apply(dir / "base.safetensors", dir / "p.bs", dir / "back.safetensors");
    CHECK(read_file(dir / "back.safetensors") == read_file(dir / "tuned.safetensors"));

    write_file(dir / "none.safetensors", safetensors_builder().add("n", "F32", {0}, {}).build());
    pack(dir / "none.safetensors", dir / "none.bs", against(dir / "base.safetensors"));
    apply(dir / "base.safetensors", dir / "none.bs", dir / "none.back");
    CHECK(read_file(dir / "none.back") == read_file(dir / "none.safetensors"));
}

TEST_CASE("a base of which every second row is missing has no more parts than it may", "[archive][patch]") {
    const temporary_directory dir;
    const byte_buffer w = gaussian_bf16(2000 * 16, 1);
    byte_buffer half;
    for (std::size_t row = 0; row < 2000; row += 2)
        half.insert(half.end(), w.begin() + static_cast<std::ptrdiff_t>(row * 32),
                    w.begin() + static_cast<std::ptrdiff_t>((row + 1) * 32));
    write_file(dir / "base.safetensors", safetensors_builder().add("w", "BF16", {2000, 16}, w).build());
    write_file(dir / "half.safetensors", safetensors_builder().add("w", "BF16", {1000, 16}, half).build());
    const auto alone = pack(dir / "half.safetensors", dir / "alone.bs");
    const auto packed = pack(dir / "half.safetensors", dir / "p.bs", against(dir / "base.safetensors"));
    REQUIRE(packed.patch);
    CHECK(packed.patch->matched_tensors == 1);
    CHECK(packed.compressed_bytes < alone.compressed_bytes);
    apply(dir / "base.safetensors", dir / "p.bs", dir / "back.safetensors");
    CHECK(read_file(dir / "back.safetensors") == read_file(dir / "half.safetensors"));
}

TEST_CASE("the source is no base of itself", "[archive][patch]") {
    const temporary_directory dir;
    write_pair(dir);
    fs::create_symlink("tuned.safetensors", dir / "link.safetensors");
    for (const char* base : {"tuned.safetensors", "link.safetensors"})
        CHECK(thrown_by([&] { pack(dir / "tuned.safetensors", dir / "p.bs", against(dir / base)); }).code() ==
              errc::invalid_argument);
    CHECK(thrown_by([&] { pack(dir / "tuned.safetensors", dir / "p.bs", against(dir.path())); }).code() ==
          errc::invalid_argument);
    CHECK_FALSE(fs::exists(dir / "p.bs"));
}

TEST_CASE("a model that is half changed is neither packed nor a base", "[archive][patch]") {
    const temporary_directory dir;
    write_pair(dir);
    write_file(dir / "base.safetensors.bigsmall-journal", "whatever it says");
    CHECK(thrown_by([&] { pack(dir / "base.safetensors", dir / "x.bs"); }).code() == errc::exists);
    CHECK(thrown_by([&] { against(dir / "base.safetensors"); }).code() == errc::exists);
}

TEST_CASE("the base is an input: no output takes its place", "[archive][patch]") {
    const temporary_directory dir;
    write_pair(dir);
    archive::pack_options to_base = against(dir / "base.safetensors");
    to_base.existing = io::if_exists::replace;
    CHECK(thrown_by([&] { pack(dir / "tuned.safetensors", dir / "base.safetensors", to_base); }).code() ==
          errc::invalid_argument);
    pack(dir / "tuned.safetensors", dir / "p.bs", against(dir / "base.safetensors"));
    archive::unpack_options options;
    options.existing = io::if_exists::replace;
    options.base = model(dir / "base.safetensors");
    CHECK(thrown_by([&] { unpack(dir / "p.bs", dir / "base.safetensors", options); }).code() == errc::invalid_argument);
    CHECK(thrown_by([&] { unpack(dir / "p.bs", dir / "p.bs", options); }).code() == errc::invalid_argument);
    CHECK(read_file(dir / "base.safetensors") == base_file());
}

TEST_CASE("a model becomes the fine-tune in place", "[archive][patch]") {
    const temporary_directory dir;
    parallel::serial_executor e;
    write_pair(dir);
    byte_buffer updated = base_file(); // of the same layout
    for (std::size_t i = updated.size() - 500; i < updated.size(); i += 50)
        updated[i] ^= 3;
    write_file(dir / "updated.safetensors", updated);
    pack(dir / "updated.safetensors", dir / "small.bs", against(dir / "base.safetensors"));
    pack(dir / "tuned.safetensors", dir / "large.bs", against(dir / "base.safetensors"));
    write_file(dir / "model.safetensors", base_file());

    const auto few = archive::apply_in_place(dir / "model.safetensors", dir / "small.bs", {}, e);
    CHECK_FALSE(few.rewritten_whole);
    CHECK(few.changed_bytes < 600);
    CHECK(read_file(dir / "model.safetensors") == updated);
    // It is no base of the patch any more.
    CHECK(thrown_by([&] { archive::apply_in_place(dir / "model.safetensors", dir / "small.bs", {}, e); }).code() ==
          errc::mismatch);
    CHECK(read_file(dir / "model.safetensors") == updated);

    write_file(dir / "model.safetensors", base_file());
    CHECK(archive::apply_in_place(dir / "model.safetensors", dir / "large.bs", {}, e).rewritten_whole);
    CHECK(read_file(dir / "model.safetensors") == fine_tune());

    pack(dir / "updated.safetensors", dir / "alone.bs");
    for (const char* patch : {"alone.bs", "base.safetensors"})
        CHECK_THROWS_AS(archive::apply_in_place(dir / "model.safetensors", dir / patch, {}, e), error);
    pack(dir / "base.safetensors", dir / "base.bs");
    CHECK(thrown_by([&] { archive::apply_in_place(dir / "base.bs", dir / "small.bs", {}, e); }).code() ==
          errc::invalid_argument);
    CHECK(read_file(dir / "model.safetensors") == fine_tune());
}

TEST_CASE("a base that changes while it is read makes no patch", "[archive][patch]") {
    const temporary_directory dir;
    write_pair(dir);
    struct toucher final : parallel::progress_listener {
        fs::path file;
        void on_progress(const parallel::progress_event&) override {
            fs::last_write_time(file, fs::last_write_time(file) + std::chrono::hours(1));
        }
    } touch;
    touch.file = dir / "base.safetensors";
    archive::pack_options options = against(touch.file);
    options.progress = &touch;
    CHECK(thrown_by([&] { pack(dir / "tuned.safetensors", dir / "p.bs", options); }).code() == errc::io);
    CHECK_FALSE(fs::exists(dir / "p.bs"));
}

TEST_CASE("verifying a patch with its base, without, and with another", "[archive][patch]") {
    const temporary_directory dir;
    write_pair(dir);
    pack(dir / "tuned.safetensors", dir / "p.bs", against(dir / "base.safetensors"));
    const auto full = verify_with(dir / "p.bs", dir / "base.safetensors");
    CHECK(full.ok);
    CHECK_FALSE(full.base_missing);
    CHECK(full.tensors_checked == full.tensors_total);
    const auto stored = verify(dir / "p.bs");
    CHECK(stored.ok);
    CHECK(stored.base_missing);
    CHECK(stored.blocks_checked == stored.blocks_total);

    byte_buffer other = base_file();
    other[other.size() - 64 - 2] ^= 1;
    write_file(dir / "other.safetensors", other);
    const auto wrong = verify_with(dir / "p.bs", dir / "other.safetensors");
    REQUIRE(wrong.problems.size() == 1);
    CHECK(wrong.problems[0].code == errc::mismatch);

    byte_buffer damaged = read_file(dir / "p.bs");
    damaged[80] ^= 1; // in the first block
    write_file(dir / "damaged.bs", damaged);
    const auto found = verify(dir / "damaged.bs");
    REQUIRE(found.problems.size() == 1);
    CHECK_FALSE(found.problems[0].tensor.empty());
    CHECK_FALSE(verify_with(dir / "damaged.bs", dir / "base.safetensors").ok);
    CHECK(thrown_by([&] { apply(dir / "base.safetensors", dir / "damaged.bs", dir / "x"); }).code() == errc::corrupt);
}

TEST_CASE("the storage point codes differences more closely than the others", "[archive][patch]") {
    const temporary_directory dir;
    const byte_buffer before = gaussian_bf16(200'000, 1), steps = gaussian_bf16(200'000, 2);
    byte_buffer after = before;
    const auto number = [](const byte_buffer& words, std::size_t i) {
        return std::bit_cast<float>(std::uint32_t{load_le<std::uint16_t>(words.data() + i)} << 16);
    };
    for (std::size_t i = 0; i < after.size(); i += 2) { // steps of a hundredth of the spread of the weights
        const auto moved = std::bit_cast<std::uint32_t>(number(before, i) + 0.01f * number(steps, i));
        store_le(after.data() + i, static_cast<std::uint16_t>(moved >> 16));
    }
    write_file(dir / "base.safetensors", safetensors_builder().add("w", "BF16", before).build());
    write_file(dir / "tuned.safetensors", safetensors_builder().add("w", "BF16", after).build());
    archive::pack_options options;
    options.base = model(dir / "base.safetensors");
    options.tune(archive::operating_point::storage);
    const std::uint64_t close = pack(dir / "tuned.safetensors", dir / "close.bs", options).compressed_bytes;
    options.delta = archive::recipe_of(archive::operating_point::balanced).delta;
    const std::uint64_t fast = pack(dir / "tuned.safetensors", dir / "fast.bs", options).compressed_bytes;
    CHECK(close < fast);
    for (const char* patch : {"close.bs", "fast.bs"}) {
        apply(dir / "base.safetensors", dir / patch, dir / "back");
        CHECK(read_file(dir / "back") == read_file(dir / "tuned.safetensors"));
        fs::remove(dir / "back");
    }
}

TEST_CASE("a patch does not depend on the number of threads", "[archive][patch]") {
    const temporary_directory dir;
    write_pair(dir);
    pack(dir / "tuned.safetensors", dir / "serial.bs", against(dir / "base.safetensors"));
    for (const std::size_t threads : {1u, 4u}) {
        parallel::tbb_executor e(threads);
        const fs::path output = dir / ("t" + std::to_string(threads));
        archive::pack(dir / "tuned.safetensors", output, against(dir / "base.safetensors"), e);
        CHECK(read_file(output) == read_file(dir / "serial.bs"));
    }
}
