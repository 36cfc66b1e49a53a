// SPDX-License-Identifier: BSL-1.0
// The front of a delta block: what its words are, and how the words of each class of runs are coded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <bigsmall/codec/delta/word_form.hpp>
#include <bigsmall/core/status.hpp>
#include <bigsmall/core/varint.hpp>
#include <bigsmall/fwd.hpp>

namespace bigsmall::delta {

inline constexpr wire_id delta_id = 32;

/// Runs of words belong to classes by the size of their updates. Class 0 has none.
struct run_class {
    static constexpr unsigned sparse_flag = 0x80;

    unsigned low_bits = 0; ///< of each zigzag difference, packed as they are
    bool sparse = false;   ///< a bitmap says which words changed; the others have no symbols
    kernel::context_classes contexts;
};

struct delta_front {
    static constexpr std::size_t most_run_classes = 7;
    static constexpr unsigned least_run_log2 = 3, most_run_log2 = 10;
    static constexpr std::size_t max_stored_bytes =
        2 * max_varint_bytes + 5 + 2 * most_run_classes + kernel::context_classes::most;

    std::size_t run_classes = 0; ///< besides class 0; if there are none the block is its base
    word_form form;
    unsigned run_log2 = 8; ///< words of a run
    rule_form rule;
    std::array<run_class, most_run_classes> classes{};

    std::size_t run_words() const noexcept { return std::size_t{1} << run_log2; }
    std::size_t runs_of(std::size_t words) const noexcept { return (words + run_words() - 1) >> run_log2; }
    /// Of all run classes together; each has a code of its own.
    std::size_t symbol_classes() const noexcept { return first_symbol_class(run_classes); }
    /// The number of the first symbol class of a run class, both counted from 0.
    std::size_t first_symbol_class(std::size_t c) const noexcept {
        std::size_t sum = 0;
        for (const run_class& each : std::span(classes).first(c))
            sum += each.contexts.classes;
        return sum;
    }
    bool has_sparse_runs() const noexcept {
        bool any = false;
        for (const run_class& each : std::span(classes).first(run_classes))
            any = any || each.sparse;
        return any;
    }
    bool needs_contexts() const noexcept { return symbol_classes() > run_classes; }

    std::size_t store(std::uint8_t* to) const noexcept {
        std::uint8_t* at = to + store_varint(to, delta_id);
        *at++ = static_cast<std::uint8_t>(run_classes);
        if (run_classes == 0) return static_cast<std::size_t>(at - to);
        *at++ = static_cast<std::uint8_t>(form.width_log2 | (form.floats ? 4 : 0));
        *at++ = static_cast<std::uint8_t>(run_log2);
        at += rule.store(at);
        for (const run_class& each : std::span(classes).first(run_classes)) {
            *at++ = static_cast<std::uint8_t>(each.low_bits | (each.sparse ? run_class::sparse_flag : 0));
            *at++ = static_cast<std::uint8_t>(each.contexts.classes);
            for (std::size_t c = 1; c < each.contexts.classes; ++c)
                *at++ = each.contexts.limits[c - 1];
        }
        return static_cast<std::size_t>(at - to);
    }

    static status load(byte_cursor& cursor, delta_front& front) noexcept {
        const std::uint64_t id = cursor.read_varint();
        front.run_classes = cursor.read<std::uint8_t>();
        if (!cursor.ok()) return status::truncated;
        if (id != delta_id) return status::unsupported;
        if (front.run_classes > most_run_classes) return status::corrupt;
        if (front.run_classes == 0) return status::ok;
        const unsigned form = cursor.read<std::uint8_t>();
        front.run_log2 = cursor.read<std::uint8_t>();
        if (!cursor.ok()) return status::truncated;
        if (form > 7 || front.run_log2 < least_run_log2 || front.run_log2 > most_run_log2) return status::corrupt;
        front.form = {form & 3u, form > 3};
        if (const status s = rule_form::load(cursor, front.form, front.rule); s != status::ok) return s;
        std::size_t symbol_classes = 0;
        for (run_class& each : std::span(front.classes).first(front.run_classes)) {
            if (const status s = load_class(cursor, front.form, each); s != status::ok) return s;
            symbol_classes += each.contexts.classes;
        }
        return symbol_classes > kernel::context_classes::most ? status::corrupt : status::ok;
    }

    /// The map that belongs to the limits.
    static void fill_map(kernel::context_classes& contexts) noexcept {
        std::size_t c = 0;
        for (std::size_t context = 0; context < 256; ++context) {
            while (c + 1 < contexts.classes && contexts.limits[c] <= context)
                ++c;
            contexts.of_context[context] = static_cast<std::uint8_t>(c);
        }
    }

private:
    static status load_class(byte_cursor& cursor, const word_form& form, run_class& each) noexcept {
        const unsigned how = cursor.read<std::uint8_t>();
        each.low_bits = how & ~run_class::sparse_flag;
        each.sparse = (how & run_class::sparse_flag) != 0;
        each.contexts.classes = cursor.read<std::uint8_t>();
        if (!cursor.ok()) return status::truncated;
        const std::size_t classes = each.contexts.classes;
        if (each.low_bits > form.most_low_bits() || classes == 0 || classes > kernel::context_classes::most)
            return status::corrupt;
        unsigned below = 0;
        for (std::size_t c = 1; c < classes; ++c) {
            const unsigned limit = cursor.read<std::uint8_t>();
            if (!cursor.ok()) return status::truncated;
            if (limit <= below) return status::corrupt;
            each.contexts.limits[c - 1] = static_cast<std::uint8_t>(limit);
            below = limit;
        }
        fill_map(each.contexts);
        return status::ok;
    }
};

} // namespace bigsmall::delta
