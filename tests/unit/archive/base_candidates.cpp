// SPDX-License-Identifier: BSL-1.0
// Which files and directories are candidates for a base, and what of them is remembered.
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

#include "search_models.hpp"
#include "support/archive_runs.hpp"
#include "support/catch.hpp"
#include "support/thread_pipelines.hpp"

using namespace support;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("every form of a model is one candidate", "[archive]") {
    const temporary_directory dir;
    const fs::path models = dir / "models";
    const fs::path target = put(dir / "target.safetensors", tuned(trained(1), 2, 5));
    const named_tensors base = trained(1);
    named_tensors first(base.begin(), std::next(base.begin(), 4)), second(std::next(base.begin(), 4), base.end());
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
    const named_tensors base = trained(1);
    named_tensors first(base.begin(), std::next(base.begin(), 4)), second(std::next(base.begin(), 4), base.end());
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
    named_tensors larger = trained(2);
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
