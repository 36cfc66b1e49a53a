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

#include "search_models.hpp"
#include "support/archive_runs.hpp"
#include "support/catch.hpp"
#include "support/thread_pipelines.hpp"

using namespace support;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("the nearest base is found among near and far ones", "[archive]") {
    const temporary_directory dir;
    const named_tensors a = trained(1), b = trained(2);
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
    const named_tensors base = trained(1);
    const archive::model_fingerprint base_print = print_of(put(dir / "base.safetensors", base));
    for (const int most : {1, 3, 10, 60}) {
        const named_tensors target = tuned(base, most, 5);
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
    const named_tensors base = trained(1);
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
    const named_tensors base = trained(1);
    named_tensors target = tuned(base, 2, 5);
    const archive::model_fingerprint print = print_of(put(dir / "target.safetensors", target));
    const double plain = share_of(print, print_of(put(dir / "base.safetensors", base)));
    const double alone = archive::patch_estimator(print).estimate({}).share;
    CHECK(plain < 0.3);
    CHECK(alone > 0.6);

    named_tensors wrapped, renamed, grown = base;
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
    const named_tensors tuned_narrow = tuned({{"w", narrow}}, 3, 1);
    const archive::base_estimate of_wide = wide.estimate(widened(dir / "v.safetensors", tuned_narrow.at("w")));
    const archive::base_estimate of_plain = plain.estimate(print_of(put(dir / "m.safetensors", tuned_narrow)));
    CHECK(std::abs(of_wide.alone - of_plain.alone / 2) < 1e-9);
    CHECK(std::abs(of_wide.share - of_plain.share / 2) < 1e-9);
}

TEST_CASE("tensors that were not sampled are like those of their role", "[archive]") {
    const temporary_directory dir;
    const named_tensors base = trained(1);
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
