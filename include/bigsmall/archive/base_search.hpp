// SPDX-License-Identifier: BSL-1.0
// The model, of many, from which another one differs least: the base of the smallest patch.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <bigsmall/archive/base_candidates.hpp>
#include <bigsmall/archive/fingerprint.hpp>
#include <bigsmall/archive/fingerprint_cache.hpp>
#include <bigsmall/archive/fingerprint_estimate.hpp>
#include <bigsmall/archive/input_files.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/source_tree.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/printable.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

enum class cache_use : std::uint8_t { none, read, read_and_write };

struct base_search_options {
    std::vector<std::filesystem::path> directories; ///< to look below
    std::vector<std::filesystem::path> outputs;     ///< what is about to be written is no base
    search_limits limits;
    double least_saving = 0.03; ///< of the bytes of all tensors; what saves less than this is not chosen
    cache_use cache = cache_use::read_and_write;
};

struct ranked_base {
    std::filesystem::path path;
    base_estimate estimate;
    std::uint64_t bytes = 0; ///< of its tensors
    bool cached = false;     ///< known from an earlier search
    std::string why;         ///< the estimate in words
};

struct base_search_result {
    std::vector<ranked_base> ranked;   ///< the smallest patch first
    std::optional<std::size_t> choice; ///< of ranked; none when no base pays
    std::string verdict;               ///< what was chosen and why, or why nothing was; paths fit for printing
    std::size_t own = 0;               ///< candidates that are the model itself, or an output
    std::size_t patches = 0;           ///< candidates that are patches themselves
    std::vector<skipped_path> skipped; ///< what could not be read
    std::vector<std::string> notes;    ///< what was not looked at; caches that could not be written
};

namespace detail {

inline std::string percent(double share) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
    return text;
}

inline std::string in_words(const base_estimate& estimate) {
    std::string text = percent(estimate.matched) + " of the bytes have a counterpart there; ";
    if (estimate.compared_words == 0) {
        text += "no words could be compared";
    } else if (estimate.changed_words == 0) {
        text += "all " + std::to_string(estimate.compared_words) + " sampled words are equal";
    } else {
        char bits[32];
        std::snprintf(bits, sizeof bits, "%.1f", estimate.changed_bits);
        text += std::to_string(estimate.changed_words) + " of " + std::to_string(estimate.compared_words) +
                " sampled words differ, by " + bits + " bits on average";
    }
    return text + "; estimated " + percent(estimate.share) + " with it, " + percent(estimate.alone) + " alone";
}

/// The model that is to be made smaller, and what must not be its base.
class search_target {
public:
    search_target(const model_reader& model, const std::vector<std::filesystem::path>& outputs)
        : own_("the model"), written_("an output"), outputs_(outputs), estimator_(fingerprint_of(model)) {
        model.add_to(own_);
        for (const std::filesystem::path& output : outputs)
            written_.add(output);
    }

    const patch_estimator& estimator() const noexcept { return estimator_; }

    /// Snapshots of one repository may share some of their files; a candidate that has nothing else is no other model.
    bool excludes(const model_candidate& candidate) const {
        const auto is_own = [&](const source_file& file) { return own_.contains(file.path); };
        const auto is_written = [&](const source_file& file) { return written_.contains(file.path); };
        return std::all_of(candidate.files.begin(), candidate.files.end(), is_own) ||
               std::any_of(candidate.files.begin(), candidate.files.end(), is_written) ||
               std::any_of(outputs_.begin(), outputs_.end(),
                           [&](const std::filesystem::path& output) { return lies_within(candidate.path, output); });
    }

private:
    input_files own_, written_;
    std::vector<std::filesystem::path> outputs_;
    patch_estimator estimator_;
};

/// What became of one candidate.
struct candidate_outcome {
    std::optional<ranked_base> ranked;
    bool own = false, patch = false;
    std::string broken;                      ///< why it cannot be read
    std::optional<cached_fingerprint> print; ///< for the cache
};

/// A file that is being written may keep its size, and its time as far as that is known: so young ones are looked at
/// again.
inline bool all_older_than_clock_ticks(const model_candidate& candidate) {
    constexpr std::int64_t young_seconds = 2;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
    return std::all_of(candidate.files.begin(), candidate.files.end(),
                       [&](const source_file& file) { return file.stamp.seconds < seconds - young_seconds; });
}

/// Nothing for a patch.
inline std::optional<model_fingerprint> read_fingerprint(const model_candidate& candidate) {
    if (!leads_to_archive(candidate.path)) return fingerprint_of(model_reader(candidate.path));
    opened_archive archive(candidate.path);
    if (archive.is_patch()) return std::nullopt;
    return fingerprint_of(model_reader(std::move(archive)));
}

class candidate_examiner {
public:
    candidate_examiner(const search_target& target, const std::vector<fingerprint_cache>& caches, cache_use use)
        : target_(target), caches_(caches), use_(use) {}

    /// Throws: errc::cancelled, nothing else: a model that cannot be read is no base.
    candidate_outcome examine(const model_candidate& candidate, const run_options& options) const {
        check_cancelled(options);
        candidate_outcome outcome;
        try {
            look_at(candidate, outcome);
        } catch (const error& failure) {
            outcome.broken = (failure.tensor().empty() ? "" : "tensor " + failure.tensor() + ": ") + failure.message();
        } catch (const std::bad_alloc&) {
            outcome.broken = "reading it takes more memory than there is";
        } catch (const std::exception& failure) {
            outcome.broken = failure.what();
        }
        return outcome;
    }

private:
    void look_at(const model_candidate& candidate, candidate_outcome& outcome) const {
        const std::uint64_t stamp = candidate.stamp();
        const byte_buffer* known = caches_[candidate.directory].find(candidate.name, stamp);
        outcome.own = target_.excludes(candidate);
        std::optional<model_fingerprint> print;
        if (known != nullptr) print = decode_fingerprint(*known);
        const bool cached = print.has_value();
        if (outcome.own && !cached) return;
        if (!cached) print = read_fingerprint(candidate);
        outcome.patch = !print;
        if (!print) return;
        if (!cached)
            for (const source_file& file : candidate.files)
                require_unchanged(file);
        if (!outcome.own) {
            outcome.ranked = rank(candidate, *print);
            outcome.ranked->cached = cached;
        }
        if (use_ != cache_use::read_and_write || !(cached || all_older_than_clock_ticks(candidate))) return;
        outcome.print = cached_fingerprint{candidate.name, stamp, cached ? *known : encode_fingerprint(*print)};
    }

    ranked_base rank(const model_candidate& candidate, const model_fingerprint& print) const {
        ranked_base base;
        base.path = candidate.path;
        base.estimate = target_.estimator().estimate(print);
        base.bytes = print.bytes;
        base.why = in_words(base.estimate);
        return base;
    }

    const search_target& target_;
    const std::vector<fingerprint_cache>& caches_;
    cache_use use_;
};

/// Collects the outcomes in the order of the candidates, whichever was ready first.
class search_report {
public:
    explicit search_report(std::size_t directories) : prints_(directories), print_bytes_(directories) {}

    void add(const model_candidate& candidate, candidate_outcome outcome) {
        result.own += outcome.own ? 1 : 0;
        result.patches += outcome.patch ? 1 : 0;
        if (!outcome.broken.empty()) result.skipped.push_back({candidate.path, std::move(outcome.broken)});
        if (outcome.ranked) result.ranked.push_back(std::move(*outcome.ranked));
        if (!outcome.print) return;
        std::uint64_t& bytes = print_bytes_[candidate.directory];
        bytes += outcome.print->print.size();
        if (bytes <= max_fingerprint_cache_bytes) prints_[candidate.directory].push_back(std::move(*outcome.print));
    }

    void write_caches(const std::vector<std::filesystem::path>& directories,
                      const std::vector<fingerprint_cache>& caches) {
        for (std::size_t i = 0; i < directories.size(); ++i) {
            std::vector<cached_fingerprint>& prints = prints_[i];
            std::sort(prints.begin(), prints.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
            if (prints == caches[i].entries()) continue;
            if (const auto failed = fingerprint_cache::write_to(directories[i], std::move(prints)))
                result.notes.push_back("the fingerprints of " + io::printable(directories[i].string()) +
                                       " could not be kept for the next search: " + *failed);
        }
    }

    void choose(double least_saving) {
        std::sort(result.ranked.begin(), result.ranked.end(), [](const ranked_base& a, const ranked_base& b) {
            return std::tie(a.estimate.share, a.bytes, a.path) < std::tie(b.estimate.share, b.bytes, b.path);
        });
        if (result.ranked.empty()) {
            result.verdict = "no other model was found";
            return;
        }
        const ranked_base& best = result.ranked.front();
        const std::string named = io::printable(best.path.string(), 1000) + ": " + best.why;
        if (best.estimate.alone - best.estimate.share < least_saving) {
            result.verdict = "none of " + std::to_string(result.ranked.size()) +
                             " models is near enough to save anything; the nearest is " + named;
            return;
        }
        result.choice = 0;
        result.verdict = "the nearest of " + std::to_string(result.ranked.size()) + " models is " + named;
    }

    base_search_result result;

private:
    std::vector<std::vector<cached_fingerprint>> prints_; // of each directory
    std::vector<std::uint64_t> print_bytes_;
};

} // namespace detail

/// Ranks all models below the directories by how small a patch from each to `target` would be. Remembers what it read
/// in a file `.bigsmall-fingerprints` in each directory. The result does not depend on the number of threads. Memory:
/// the fingerprints, some KB each, up to 256 MiB for a directory, and the headers of as many models as threads. Throws:
/// as reading `target`; errc::cancelled. What is wrong with a candidate is reported, not thrown.
template <parallel::executor E>
base_search_result find_base(const model_reader& target, const base_search_options& search, const run_options& options,
                             E& e) {
    const detail::search_target wanted(target, search.outputs);
    found_candidates found = find_candidates(search.directories, search.limits, options);
    std::vector<fingerprint_cache> caches(search.directories.size());
    if (search.cache != cache_use::none)
        e.for_each(caches.size(),
                   [&](std::size_t i) { caches[i] = fingerprint_cache::read_from(search.directories[i]); });
    detail::search_report report(search.directories.size());
    report.result.skipped = std::move(found.skipped);
    report.result.notes = std::move(found.notes);
    const detail::candidate_examiner examiner(wanted, caches, search.cache);
    constexpr std::size_t at_once = 256; // fingerprints that wait for their turn
    for (std::size_t first = 0; first < found.models.size(); first += at_once) {
        std::vector<detail::candidate_outcome> outcomes(std::min(at_once, found.models.size() - first));
        e.for_each(outcomes.size(),
                   [&](std::size_t i) { outcomes[i] = examiner.examine(found.models[first + i], options); });
        for (std::size_t i = 0; i < outcomes.size(); ++i)
            report.add(found.models[first + i], std::move(outcomes[i]));
    }
    if (search.cache == cache_use::read_and_write) report.write_caches(search.directories, caches);
    report.choose(search.least_saving);
    return std::move(report.result);
}

} // namespace bigsmall::archive
