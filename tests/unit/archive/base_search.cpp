// SPDX-License-Identifier: BSL-1.0
// Finding the base of the smallest patch among many models.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <bigsmall/archive/base_search.hpp>
#include <bigsmall/codec/delta/delta_codec.hpp>
#include <bigsmall/io/container/writer.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"
#include "support/thread_executor.hpp"

using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

/// BF16 tensors of a small transformer, by name. A seed is a model.
using model = std::map<std::string, byte_buffer>;

constexpr std::size_t width = 64;

model trained(std::uint64_t seed) {
    model made;
    made["model.embed_tokens.weight"] = gaussian_bf16(100 * width, seed * 100);
    for (std::uint64_t layer = 0; layer < 3; ++layer) {
        const std::string name = "model.layers." + std::to_string(layer) + ".";
        made[name + "q_proj.weight"] = gaussian_bf16(width * width, seed * 100 + 10 * layer + 1);
        made[name + "up_proj.weight"] = gaussian_bf16(2 * width * width, seed * 100 + 10 * layer + 2);
        made[name + "norm.weight"] = gaussian_bf16(width, seed * 100 + 10 * layer + 3);
    }
    return made;
}

/// Moves each word by up to `most` steps, those of tensors with `part` in their names.
model tuned(model base, int most, std::uint64_t seed, const std::string& part = "") {
    std::mt19937_64 random(seed);
    for (auto& [name, bytes] : base) {
        if (name.find(part) == std::string::npos) continue;
        for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
            const auto step = static_cast<int>(random() % static_cast<std::uint64_t>(2 * most + 1)) - most;
            const auto word = static_cast<int>(load_le<std::uint16_t>(bytes.data() + i));
            const int moved = std::clamp((word & 0x7fff) + step, 0, 0x7f7f);
            store_le(bytes.data() + i, static_cast<std::uint16_t>((word & 0x8000) | moved));
        }
    }
    return base;
}

byte_buffer file_of(const model& tensors) {
    safetensors_builder file;
    for (const auto& [name, bytes] : tensors)
        file.add(name, "BF16", {bytes.size() / 2 / width, width}, bytes);
    return file.build();
}

/// What is younger than two seconds is not remembered.
void make_old(const fs::path& path) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(1));
}

fs::path put(const fs::path& path, const model& tensors) {
    write_file(path, file_of(tensors));
    make_old(path);
    return path;
}

archive::base_search_result search(const fs::path& target, archive::base_search_options options) {
    parallel::serial_executor e;
    return archive::find_base(archive::model_reader(target), options, {}, e);
}

archive::base_search_result search(const fs::path& target, const fs::path& below) {
    archive::base_search_options options;
    options.directories = {below};
    return search(target, options);
}

std::vector<std::string> names_of(const archive::base_search_result& found, const fs::path& below) {
    std::vector<std::string> names;
    for (const archive::ranked_base& base : found.ranked)
        names.push_back(base.path.lexically_relative(below).generic_string());
    return names;
}

using names = std::vector<std::string>;

std::vector<std::string> sorted(std::vector<std::string> list) {
    std::sort(list.begin(), list.end());
    return list;
}

std::size_t cached_of(const archive::base_search_result& found) {
    return static_cast<std::size_t>(
        std::count_if(found.ranked.begin(), found.ranked.end(), [](const auto& base) { return base.cached; }));
}

/// Bytes that nobody can read, where a model of the same size and time was.
void replace_unseen(const fs::path& path) {
    const fs::file_time_type time = fs::last_write_time(path);
    write_file(path, byte_buffer(static_cast<std::size_t>(fs::file_size(path)), 0xff));
    fs::last_write_time(path, time);
}

void write_empty_patch(const fs::path& path) {
    io::container_index index;
    index.writer = "test";
    index.base_files.push_back({"base.safetensors", 10, {}});
    io::memory_sink sink;
    io::container_writer(sink, io::required_features(index)).finish(index);
    write_file(path, sink.bytes());
}

archive::model_fingerprint print_of(const fs::path& path) {
    return archive::fingerprint_of(archive::model_reader(path));
}

double share_of(const archive::model_fingerprint& target, const archive::model_fingerprint& base) {
    return archive::patch_estimator(target).estimate(base).share;
}

} // namespace

TEST_CASE("the nearest base is found among near and far ones", "[archive]") {
    const temporary_directory dir;
    const model a = trained(1), b = trained(2);
    const fs::path target = put(dir / "target.safetensors", tuned(a, 2, 7));
    put(dir / "models" / "a.safetensors", a);
    put(dir / "models" / "a tuned far.safetensors", tuned(a, 12, 8));
    put(dir / "models" / "b" / "model.safetensors", b);
    put(dir / "models" / "b tuned" / "model.safetensors", tuned(b, 2, 9));
    const archive::base_search_result found = search(target, dir / "models");
    REQUIRE(found.choice == 0u);
    const names order = names_of(found, dir / "models");
    REQUIRE(order.size() == 4);
    CHECK(order[0] == "a.safetensors");
    CHECK(order[1] == "a tuned far.safetensors");
    const archive::ranked_base& best = found.ranked[0];
    CHECK(best.estimate.matched == 1);
    CHECK(best.estimate.share < 0.2);
    CHECK(best.estimate.alone > 0.6);
    CHECK(best.bytes == found.ranked[1].bytes);
    CHECK_THAT(best.why, ContainsSubstring("100.0 % of the bytes have a counterpart"));
    CHECK_THAT(best.why, ContainsSubstring("sampled words differ, by"));
    CHECK_THAT(found.verdict, ContainsSubstring("the nearest of 4 models is") && ContainsSubstring("a.safetensors"));
    CHECK(found.ranked[2].estimate.share > found.ranked[2].estimate.alone - 0.03);
    CHECK(found.skipped.empty());
    CHECK(found.notes.empty());
}

TEST_CASE("no base is chosen where none pays", "[archive]") {
    const temporary_directory dir;
    const fs::path target = put(dir / "target.safetensors", trained(1));
    put(dir / "models" / "b.safetensors", trained(2));
    archive::base_search_result found = search(target, dir / "models");
    CHECK_FALSE(found.choice);
    CHECK(found.ranked.size() == 1);
    CHECK_THAT(found.verdict, ContainsSubstring("none of 1 models"));
    fs::create_directories(dir / "nothing");
    found = search(target, dir / "nothing");
    CHECK_FALSE(found.choice);
    CHECK(found.verdict == "no other model was found");
    // What pays is up to the caller.
    put(dir / "models" / "a.safetensors", tuned(trained(1), 2, 3));
    CHECK(search(target, dir / "models").choice);
    archive::base_search_options demanding;
    demanding.directories = {dir / "models"};
    demanding.least_saving = 0.6;
    CHECK_FALSE(search(target, demanding).choice);
}

TEST_CASE("estimates come near to what the coder makes", "[archive]") {
    const temporary_directory dir;
    const model base = trained(1);
    const archive::model_fingerprint base_print = print_of(put(dir / "base.safetensors", base));
    for (const int most : {1, 3, 10, 60}) {
        const model target = tuned(base, most, 5);
        const double estimated = share_of(print_of(put(dir / "target.safetensors", target)), base_print);
        scratch memory;
        std::size_t coded = 0, raw = 0;
        for (const auto& [name, bytes] : target) {
            byte_buffer out(delta_codec::bound(bytes.size()));
            const auto block = delta_codec::encode(*find_dtype("BF16"), bytes, base.at(name), out.size(), out, memory);
            coded += block ? block->bytes : bytes.size();
            raw += bytes.size();
        }
        INFO(most << " steps");
        CHECK(std::abs(estimated - static_cast<double>(coded) / static_cast<double>(raw)) < 0.03);
    }
}

TEST_CASE("the ranking follows the size of the updates", "[archive]") {
    const temporary_directory dir;
    const model base = trained(1);
    const archive::patch_estimator estimator(print_of(put(dir / "target.safetensors", base)));
    double before = -1;
    for (const int most : {0, 1, 2, 5, 12, 40}) {
        const archive::base_estimate estimate =
            estimator.estimate(print_of(put(dir / "base.safetensors", most == 0 ? base : tuned(base, most, 5))));
        CHECK(estimate.share > before);
        CHECK((estimate.changed_words == 0) == (most == 0));
        before = estimate.share;
    }
}

TEST_CASE("partners have other names, other rows, other types", "[archive]") {
    const temporary_directory dir;
    const model base = trained(1);
    model target = tuned(base, 2, 5);
    const archive::model_fingerprint print = print_of(put(dir / "target.safetensors", target));
    const double plain = share_of(print, print_of(put(dir / "base.safetensors", base)));
    const double alone = archive::patch_estimator(print).estimate({}).share;
    CHECK(plain < 0.3);
    CHECK(alone > 0.6);

    model wrapped, renamed, grown = base;
    for (const auto& [name, bytes] : base) {
        wrapped["module." + name] = bytes;
        renamed["transformer.block" + name.substr(5)] = bytes;
    }
    CHECK(share_of(print, print_of(put(dir / "base.safetensors", wrapped))) == plain);
    CHECK(std::abs(share_of(print, print_of(put(dir / "base.safetensors", renamed))) - plain) < 0.01);

    const byte_buffer rows = gaussian_bf16(5 * width, 99);
    byte_buffer& embedding = grown["model.embed_tokens.weight"];
    embedding.insert(embedding.end(), rows.begin(), rows.end());
    const archive::model_fingerprint grown_print = print_of(put(dir / "base.safetensors", grown));
    CHECK(std::abs(share_of(print, grown_print) - plain) < 0.02);
    const archive::base_estimate shrunk = archive::patch_estimator(grown_print).estimate(print);
    CHECK(shrunk.matched < 1);
    CHECK(shrunk.matched > 0.97);

    safetensors_builder wide;
    for (const auto& [name, bytes] : base) {
        byte_buffer floats(2 * bytes.size());
        for (std::size_t i = 0; i < bytes.size(); i += 2)
            store_le(floats.data() + 2 * i, std::uint32_t{load_le<std::uint16_t>(bytes.data() + i)} << 16);
        wide.add(name, "F32", {bytes.size() / 2 / width, width}, floats);
    }
    write_file(dir / "base.safetensors", wide.build());
    CHECK(share_of(print, print_of(dir / "base.safetensors")) == plain);
}

TEST_CASE("of several tensors of one name the nearest is the partner", "[archive]") {
    const temporary_directory dir;
    const byte_buffer near = gaussian_bf16(width * width, 1), far = gaussian_bf16(width * width, 2);
    const archive::model_fingerprint target = print_of(put(dir / "target.safetensors", {{"w", near}}));
    CHECK(share_of(target, print_of(put(dir / "1.safetensors", {{"model.w", far}, {"w", near}}))) == 0);
    CHECK(share_of(target, print_of(put(dir / "2.safetensors", {{"model.w", near}, {"w", far}}))) == 0);
}

TEST_CASE("bits that no word uses cost nothing", "[archive]") {
    const temporary_directory dir;
    const byte_buffer narrow = gaussian_bf16(width * width, 1), other = gaussian_bf16(width * width, 2);
    const auto widened = [&](const fs::path& path, const byte_buffer& bytes) {
        byte_buffer floats(2 * bytes.size());
        for (std::size_t i = 0; i < bytes.size(); i += 2)
            std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(i), 2,
                        floats.begin() + static_cast<std::ptrdiff_t>(2 * i + 2));
        write_file(path, safetensors_builder().add("w", "F32", {width, width}, floats).build());
        return print_of(path);
    };
    const archive::patch_estimator wide(widened(dir / "w.safetensors", narrow));
    const archive::patch_estimator plain(print_of(put(dir / "n.safetensors", {{"w", narrow}})));
    const model tuned_narrow = tuned({{"w", narrow}}, 3, 1);
    const archive::base_estimate of_wide = wide.estimate(widened(dir / "v.safetensors", tuned_narrow.at("w")));
    const archive::base_estimate of_plain = plain.estimate(print_of(put(dir / "m.safetensors", tuned_narrow)));
    CHECK(std::abs(of_wide.alone - of_plain.alone / 2) < 1e-9);
    CHECK(std::abs(of_wide.share - of_plain.share / 2) < 1e-9);
}

TEST_CASE("tensors that were not sampled are like those of their role", "[archive]") {
    const temporary_directory dir;
    const model base = trained(1);
    archive::model_fingerprint print = print_of(put(dir / "target.safetensors", tuned(base, 30, 5, "q_proj")));
    const archive::model_fingerprint base_print = print_of(put(dir / "base.safetensors", base));
    const double all = share_of(print, base_print);
    std::map<std::uint32_t, int> seen;
    for (archive::tensor_fingerprint& tensor : print.tensors)
        if (seen[tensor.role]++ > 0) tensor.words_at = archive::tensor_fingerprint::no_words;
    const double some = share_of(print, base_print);
    CHECK(all > 0.05);
    CHECK(std::abs(all - some) < 0.02);
}

TEST_CASE("every form of a model is one candidate", "[archive]") {
    const temporary_directory dir;
    const fs::path models = dir / "models";
    const fs::path target = put(dir / "target.safetensors", tuned(trained(1), 2, 5));
    const model base = trained(1);
    model first(base.begin(), std::next(base.begin(), 4)), second(std::next(base.begin(), 4), base.end());
    put(models / "collection" / "x.safetensors", base);
    put(models / "collection" / "y.safetensors", base);
    put(models / "one" / "model.safetensors", base);
    write_file(models / "one" / "config.json", "{}");
    put(models / "shards" / "model-00001-of-00002.safetensors", first);
    put(models / "shards" / "model-00002-of-00002.safetensors", second);
    put(models / "described" / "part a.safetensors", first);
    put(models / "described" / "part b.safetensors", second);
    write_file(models / "described" / "config.json", "{}");
    put(models / "pipeline" / "unet" / "x.safetensors", first);
    put(models / "pipeline" / "vae" / "x.safetensors", second);
    write_file(models / "pipeline" / "model_index.json", "{}");
    fs::create_directories(models / "packed");
    pack(models / "shards", models / "packed" / "whole.bs");
    pack_per_shard(models / "shards", models / "packed" / "per shard");
    write_empty_patch(models / "packed" / "patch.bs");
    write_file(models / "model_index.json", "{}"); // of nothing: no safetensors file lies beside it
    fs::remove(models / "model_index.json");

    const archive::base_search_result found = search(target, models);
    CHECK(sorted(names_of(found, models)) == names{"collection/x.safetensors", "collection/y.safetensors", "described",
                                                   "one/model.safetensors", "packed/per shard", "packed/whole.bs",
                                                   "pipeline", "shards"});
    for (const archive::ranked_base& base_found : found.ranked)
        CHECK(base_found.estimate.share == found.ranked[0].estimate.share);
    CHECK(found.patches == 1);
    CHECK(found.skipped.empty());
}

TEST_CASE("a model is not its own base", "[archive]") {
    const temporary_directory dir;
    const fs::path models = dir / "models";
    const fs::path target = put(models / "target.safetensors", trained(1));
    fs::create_hard_link(target, models / "hard link.safetensors");
    fs::create_symlink(target, models / "link.safetensors");
    put(models / "copy.safetensors", trained(1));
    put(models / "output.bs", trained(1));
    put(models / "out" / "output.safetensors", trained(1));
    archive::base_search_options options;
    options.directories = {models};
    options.outputs = {models / "output.bs", models / "out"};
    const archive::base_search_result found = search(target, options);
    CHECK(names_of(found, models) == names{"copy.safetensors"});
    CHECK(found.ranked[0].estimate.share == 0);
    CHECK_THAT(found.ranked[0].why, ContainsSubstring("sampled words are equal"));
    CHECK(found.own == 3); // three names of one file are one candidate
}

TEST_CASE("snapshots of a cache are candidates though they share files", "[archive]") {
    const temporary_directory dir;
    const fs::path repository = dir / "hub" / "models--some--model";
    const model base = trained(1);
    model first(base.begin(), std::next(base.begin(), 4)), second(std::next(base.begin(), 4), base.end());
    put(repository / "blobs" / "1", first);
    put(repository / "blobs" / "2", second);
    put(repository / "blobs" / "3", tuned(second, 2, 5));
    for (const std::string revision : {"old", "new"}) {
        const fs::path snapshot = repository / "snapshots" / revision;
        fs::create_directories(snapshot);
        fs::create_symlink("../../blobs/1", snapshot / "m-00001-of-00002.safetensors");
        fs::create_symlink(revision == "old" ? "../../blobs/2" : "../../blobs/3",
                           snapshot / "m-00002-of-00002.safetensors");
    }
    const archive::base_search_result found = search(repository / "snapshots" / "new", dir / "hub");
    CHECK(names_of(found, repository / "snapshots") == names{"old"});
    CHECK(found.choice == 0u);
    CHECK(found.own == 1);
}

TEST_CASE("links to directories, hidden and deep ones are passed over", "[archive]") {
    const temporary_directory dir;
    const fs::path models = dir / "models";
    const fs::path target = put(dir / "target.safetensors", trained(1));
    put(models / "1" / "2" / "3" / "deep.safetensors", trained(1));
    put(models / ".hidden" / "x.safetensors", trained(1));
    put(models / ".x.safetensors", trained(1));
    put(dir / "elsewhere" / "y.safetensors", trained(1));
    fs::create_directory_symlink(dir / "elsewhere", models / "link");
    fs::create_directory_symlink(models, models / "1" / "loop");
    archive::base_search_options options;
    options.directories = {models};
    CHECK(names_of(search(target, options), models) == names{"1/2/3/deep.safetensors"});
    options.limits.depth = 3;
    CHECK(search(target, options).notes.empty());
    options.limits.depth = 2;
    const archive::base_search_result found = search(target, options);
    CHECK(found.ranked.empty());
    REQUIRE(found.notes.size() == 1);
    CHECK_THAT(found.notes[0], ContainsSubstring("1 directories lie more than 2 levels deep"));
    CHECK_THAT(found.notes[0], ContainsSubstring((models / "1" / "2" / "3").string()));
}

TEST_CASE("what was not considered is said", "[archive]") {
    const temporary_directory dir;
    const fs::path target = put(dir / "target.safetensors", trained(1));
    for (const char* name : {"a", "b", "c"})
        put(dir / "models" / name / "x.safetensors", trained(1));
    archive::base_search_options options;
    options.directories = {dir / "models", dir / "models" / "a", dir / "none"};
    archive::base_search_result found = search(target, options);
    CHECK(found.ranked.size() == 3); // each once
    CHECK(found.notes.empty());
    REQUIRE(found.skipped.size() == 1);
    CHECK(found.skipped[0].path == dir / "none");
    options.limits.candidates = 2;
    found = search(target, options);
    CHECK(names_of(found, dir / "models") == names{"a/x.safetensors", "b/x.safetensors"});
    REQUIRE(found.notes.size() == 1);
    CHECK_THAT(found.notes[0], ContainsSubstring("only the first 2 models"));
    options.limits = {};
    options.limits.entries = 4;
    found = search(target, options);
    CHECK(found.ranked.size() < 3);
    CHECK(found.notes.size() == 1);
}

TEST_CASE("broken models are listed with the reason", "[archive]") {
    const temporary_directory dir;
    const fs::path models = dir / "models";
    const fs::path target = put(dir / "target.safetensors", tuned(trained(1), 2, 5));
    put(models / "good.safetensors", trained(1));
    write_file(models / "bad.safetensors", std::string(100, '\xff'));
    write_file(models / "empty.bs", "");
    write_file(models / "cut.bs", "\211BSM\r\n\032\n and no more");
    fs::create_symlink("nowhere", models / "dangling.safetensors");
    pack(models / "good.safetensors", models / "hurt.bs");
    damage_byte(models / "hurt.bs", 100);
    const archive::base_search_result found = search(target, models);
    CHECK(names_of(found, models) == names{"good.safetensors"});
    CHECK(found.choice == 0u);
    REQUIRE(found.skipped.size() == 5);
    names paths;
    for (const archive::skipped_path& skipped : found.skipped) {
        paths.push_back(skipped.path.filename().string());
        CHECK_FALSE(skipped.reason.empty());
    }
    CHECK(sorted(paths) == names{"bad.safetensors", "cut.bs", "dangling.safetensors", "empty.bs", "hurt.bs"});
}

TEST_CASE("what is remembered is not opened again, what changed is", "[archive]") {
    const temporary_directory dir;
    const fs::path models = dir / "models", file = models / ".bigsmall-fingerprints";
    const fs::path target = put(dir / "target.safetensors", tuned(trained(1), 2, 5));
    put(models / "a.safetensors", trained(1));
    put(models / "b.safetensors", trained(2));
    const archive::base_search_result first = search(target, models);
    CHECK(cached_of(first) == 0);
    REQUIRE(fs::exists(file));
    replace_unseen(models / "a.safetensors");
    replace_unseen(models / "b.safetensors");
    const archive::base_search_result again = search(target, models);
    CHECK(again.skipped.empty());
    REQUIRE(names_of(again, models) == names_of(first, models));
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(again.ranked[i].cached);
        CHECK(again.ranked[i].estimate.share == first.ranked[i].estimate.share);
        CHECK(again.ranked[i].why == first.ranked[i].why);
    }
    // Another time is another file.
    put(models / "a.safetensors", trained(3));
    fs::last_write_time(models / "a.safetensors",
                        fs::last_write_time(models / "b.safetensors") + std::chrono::nanoseconds(1));
    const archive::base_search_result changed = search(target, models);
    CHECK_FALSE(changed.choice);
    CHECK(cached_of(changed) == 1);
    // So is another size.
    model larger = trained(2);
    larger["more"] = gaussian_bf16(width, 4);
    const fs::file_time_type time = fs::last_write_time(models / "b.safetensors");
    put(models / "b.safetensors", larger);
    fs::last_write_time(models / "b.safetensors", time);
    CHECK(cached_of(search(target, models)) == 1);
    CHECK(cached_of(search(target, models)) == 2);
    fs::remove(models / "b.safetensors");
    search(target, models);
    CHECK(archive::fingerprint_cache::read_from(models).entries().size() == 1);
}

TEST_CASE("a search may leave no traces", "[archive]") {
    const temporary_directory dir;
    const fs::path target = put(dir / "target.safetensors", trained(1));
    put(dir / "models" / "a.safetensors", trained(1));
    archive::base_search_options options;
    options.directories = {dir / "models"};
    for (const archive::cache_use use : {archive::cache_use::none, archive::cache_use::read}) {
        options.cache = use;
        CHECK(search(target, options).ranked.size() == 1);
        CHECK_FALSE(fs::exists(dir / "models" / ".bigsmall-fingerprints"));
    }
    options.cache = archive::cache_use::read_and_write;
    search(target, options);
    CHECK(cached_of(search(target, options)) == 1);
    options.cache = archive::cache_use::none;
    CHECK(cached_of(search(target, options)) == 0);
    options.cache = archive::cache_use::read;
    CHECK(cached_of(search(target, options)) == 1);
}

TEST_CASE("young files are not remembered, for they may change unseen", "[archive]") {
    const temporary_directory dir;
    const fs::path target = put(dir / "target.safetensors", trained(1));
    write_file(dir / "models" / "a.safetensors", file_of(trained(1)));
    search(target, dir / "models");
    const archive::base_search_result found = search(target, dir / "models");
    CHECK(found.ranked.size() == 1);
    CHECK(cached_of(found) == 0);
}

TEST_CASE("a damaged or hostile cache is made anew, one that cannot be written is no error", "[archive]") {
    const temporary_directory dir;
    const fs::path models = dir / "models", file = models / ".bigsmall-fingerprints";
    const fs::path target = put(dir / "target.safetensors", tuned(trained(1), 2, 5));
    put(models / "a.safetensors", trained(1));
    const archive::base_search_result clean = search(target, models);
    const byte_buffer good = read_file(file);
    byte_buffer flipped = good;
    flipped[flipped.size() / 2] ^= 1;
    std::vector<archive::cached_fingerprint> entries = archive::fingerprint_cache::read_from(models).entries();
    REQUIRE(entries.size() == 1);
    entries[0].print.resize(entries[0].print.size() / 2); // under a checksum that is right
    for (const byte_buffer& bad :
         {flipped, byte_buffer{}, noise(1000, 1), archive::encode_fingerprint_cache(entries)}) {
        write_file(file, bad);
        const archive::base_search_result found = search(target, models);
        CHECK(cached_of(found) == 0);
        CHECK(found.notes.empty());
        REQUIRE(found.ranked.size() == 1);
        CHECK(found.ranked[0].why == clean.ranked[0].why);
        CHECK(read_file(file) == good);
    }
    fs::remove(file);
    write_file(file / "in the way", "");
    const archive::base_search_result found = search(target, models);
    CHECK(found.choice == 0u);
    REQUIRE(found.notes.size() == 1);
    CHECK_THAT(found.notes[0], ContainsSubstring("could not be kept"));
}

TEST_CASE("a search does not depend on threads, and stops when asked", "[archive]") {
    const temporary_directory dir;
    const fs::path models = dir / "models";
    const fs::path target = put(dir / "target.safetensors", tuned(trained(1), 2, 5));
    for (int i = 0; i < 12; ++i)
        put(models / std::to_string(i) / "m.safetensors", i % 3 == 0 ? trained(1) : tuned(trained(1), i, 5));
    write_file(models / "bad 1.safetensors", "x");
    write_file(models / "bad 2.safetensors", "y");
    const archive::base_search_result alone = search(target, models);
    const byte_buffer cache = read_file(models / ".bigsmall-fingerprints");
    fs::remove(models / ".bigsmall-fingerprints");
    thread_executor threads(4);
    archive::base_search_options options;
    options.directories = {models};
    const archive::base_search_result together =
        archive::find_base(archive::model_reader(target), options, {}, threads);
    CHECK(names_of(together, models) == names_of(alone, models));
    CHECK(together.verdict == alone.verdict);
    REQUIRE(together.skipped.size() == 2);
    CHECK(together.skipped[0].path == alone.skipped[0].path);
    CHECK(read_file(models / ".bigsmall-fingerprints") == cache);

    parallel::cancel_token stop;
    stop.request();
    archive::run_options run;
    run.cancel = &stop;
    CHECK(thrown_by([&] { archive::find_base(archive::model_reader(target), options, run, threads); }).code() ==
          errc::cancelled);
}
