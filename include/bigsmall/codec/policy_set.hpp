// SPDX-License-Identifier: BSL-1.0
// The reader's side: a set of policies that maps wire ids back to types. The writer's policies are a choice; the
// reader obeys the file.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include <bigsmall/codec/block.hpp>
#include <bigsmall/codec/entropy/stored.hpp>
#include <bigsmall/codec/grouping/whole.hpp>
#include <bigsmall/codec/scratch.hpp>

namespace bigsmall {

namespace detail {

// A policy whose members are incomplete matches neither axis; the requirement that explains it is picked by what
// it has: groupings have streams.
template <class P>
concept looks_like_grouping = requires {
    P::streams;
};

template <class G>
status merge_block(std::span<const bytes_view> streams, bytes_span raw, const kernel::table& kernels) {
    if (streams.size() != G::streams) return status::corrupt;
    return G::merge(streams.first<G::streams>(), raw, kernels);
}

} // namespace detail

/// Any mixture of grouping and entropy policies (lists are welcome). `whole` and `stored` are always known.
template <class... Policies>
struct policy_set {
    static_assert(([] {
        if constexpr (detail::looks_like_grouping<Policies>)
            return detail::require_grouping_policy<Policies>();
        else
            return detail::require_entropy_policy<Policies>();
    }() && ...));

    /// Rebuilds a block into `raw`, whose size is the block's raw size. Total: any `coded` gives ok or an error.
    /// Throws only std::bad_alloc, for at most about five times the size of `raw`.
    static status decode(bytes_view coded, bytes_span raw, scratch& memory) {
        byte_cursor cursor(coded);
        block_header header;
        if (const status s = block_header::load(cursor, raw.size(), header); s != status::ok) return s;

        std::array<bytes_view, max_streams> streams;
        const bytes_view lead = cursor.take(header.entries[0].coded_bytes);
        if (const status s = decode_others(header, coded, cursor, streams, memory); s != status::ok) return s;
        memory.ahead().expect(coded.subspan(coded.size() - cursor.left() - others_bytes(header)));
        bool in_parts = false;
        if (const status s = decode_in_parts(header, lead, streams, raw, memory, in_parts); in_parts || s != status::ok)
            return s;
        if (const status s = decode_lead(header.entries[0], lead, streams[0], memory); s != status::ok) return s;
        return merge(header.grouping, std::span<const bytes_view>(streams).first(header.streams), raw,
                     memory.kernels());
    }

    /// "field_planes<2>+huffman"; an id that this set does not know is shown as "unknown(id)".
    static std::string name_of(coding_label label) {
        return policy_name<true>(label.grouping) + "+" + policy_name<false>(label.entropy);
    }

private:
    static std::size_t others_bytes(const block_header& header) noexcept {
        std::size_t sum = 0;
        for (const stream_entry& entry : std::span(header.entries).first(header.streams).subspan(1))
            sum += entry.coded_bytes;
        return sum;
    }

    /// All streams but the first, which stands in front of the cursor's place.
    static status decode_others(const block_header& header, bytes_view coded, byte_cursor& cursor,
                                std::array<bytes_view, max_streams>& streams, scratch& memory) {
        std::size_t planes_bytes = 0;
        for (const stream_entry& entry : std::span(header.entries).first(header.streams).subspan(1))
            if (entry.entropy != entropy::stored::id) planes_bytes += entry.raw_bytes;
        bytes_span planes = memory.memory(scratch::purpose::planes, planes_bytes);
        for (std::size_t i = 1; i < header.streams; ++i) {
            const stream_entry& entry = header.entries[i];
            const bytes_view body = cursor.take(entry.coded_bytes);
            if (entry.entropy == entropy::stored::id) { // read where it lies
                if (body.size() != entry.raw_bytes) return status::corrupt;
                streams[i] = body;
                continue;
            }
            memory.ahead().expect(coded.subspan(cursor.position()));
            const bytes_span plane = planes.first(entry.raw_bytes);
            planes = planes.subspan(entry.raw_bytes);
            if (const status s = decode_stream(entry.entropy, body, plane, memory); s != status::ok) return s;
            streams[i] = plane;
        }
        return status::ok;
    }

    static status decode_lead(const stream_entry& entry, bytes_view body, bytes_view& stream, scratch& memory) {
        if (entry.entropy == entropy::stored::id) {
            if (body.size() != entry.raw_bytes) return status::corrupt;
            stream = body;
            return status::ok;
        }
        const bytes_span plane = memory.memory(scratch::purpose::lead, entry.raw_bytes);
        stream = plane;
        return decode_stream(entry.entropy, body, plane, memory);
    }

    /// The first stream in parts that stay in a cache until they are merged, where grouping and entropy can do that:
    /// `done` tells. Nothing is lost when it cannot.
    static status decode_in_parts(const block_header& header, bytes_view lead,
                                  std::array<bytes_view, max_streams>& streams, bytes_span raw, scratch& memory,
                                  bool& done) {
        status result = status::ok;
        const auto with_both = [&]<class G, class E>(std::type_identity<G>, std::type_identity<E>) {
            if constexpr (
                requires { typename E::piecewise; } && requires { &G::part_of; }) {
                if (G::id != header.grouping || E::id != header.entries[0].entropy || G::streams != header.streams)
                    return false;
                result = merge_parts<G, E>(header.entries[0].raw_bytes, lead, streams, raw, memory, done);
                return true;
            }
            return false;
        };
        const auto with_grouping = [&]<class G>(std::type_identity<G> grouping) {
            if constexpr (detail::looks_like_grouping<G>)
                return (with_both(grouping, std::type_identity<Policies>{}) || ...);
            return false;
        };
        (void)(with_grouping(std::type_identity<Policies>{}) || ...);
        return result;
    }

    template <class G, class E>
    static status merge_parts(std::size_t lead_symbols, bytes_view lead, std::array<bytes_view, max_streams>& streams,
                              bytes_span raw, scratch& memory, bool& done) {
        if (lead_symbols == 0 || raw.size() % lead_symbols != 0) return status::ok;
        const std::size_t width = raw.size() / lead_symbols;
        typename E::piecewise pieces(memory);
        if (const status s = pieces.open(lead); s != status::ok) return s;
        const bytes_span symbols =
            memory.memory(scratch::purpose::lead, std::min(pieces.piece_symbols(), lead_symbols));
        // A first stream of the right size stands in for the one that is not there as a whole.
        std::array<bytes_view, G::streams> all, part;
        std::copy_n(streams.begin(), G::streams, all.begin());
        for (std::size_t at = 0; at < lead_symbols; at += symbols.size()) {
            const std::size_t here = std::min(symbols.size(), lead_symbols - at);
            all[0] = raw.first(lead_symbols);
            if (!G::part_of(all, at, here, part)) return status::ok;
            if (const status s = pieces.read(symbols.first(here)); s != status::ok) return s;
            part[0] = symbols.first(here);
            const status s = G::merge(std::span<const bytes_view, G::streams>(part),
                                      raw.subspan(at * width, here * width), memory.kernels());
            if (s != status::ok) return s;
        }
        done = true;
        return pieces.close();
    }

    static status decode_stream(wire_id id, bytes_view coded, bytes_span raw, scratch& memory) {
        status result = status::unsupported;
        const auto try_one = [&]<class P>(std::type_identity<P>) {
            if constexpr (!detail::looks_like_grouping<P>) {
                if (P::id != id) return false;
                result = detail::decode_stream<P>(coded, raw, memory);
                return true;
            }
            return false;
        };
        (void)(try_one(std::type_identity<Policies>{}) || ...);
        return result;
    }

    static status merge(wire_id id, std::span<const bytes_view> streams, bytes_span raw, const kernel::table& kernels) {
        if (id == grouping::whole::id) return detail::merge_block<grouping::whole>(streams, raw, kernels);
        status result = status::unsupported;
        const auto try_one = [&]<class P>(std::type_identity<P>) {
            if constexpr (detail::looks_like_grouping<P>) {
                if (P::id != id) return false;
                result = detail::merge_block<P>(streams, raw, kernels);
                return true;
            }
            return false;
        };
        (void)(try_one(std::type_identity<Policies>{}) || ...);
        return result;
    }

    template <bool Grouping>
    static std::string policy_name(wire_id id) {
        std::string found;
        const auto try_one = [&]<class P>(std::type_identity<P>) {
            if constexpr (detail::looks_like_grouping<P> == Grouping)
                if (P::id == id) found = std::string_view(P::name);
        };
        (try_one(std::type_identity<Policies>{}), ...);
        if (found.empty() && id == 0) found = Grouping ? grouping::whole::name : entropy::stored::name;
        return found.empty() ? "unknown(" + std::to_string(id) + ")" : found;
    }
};

namespace detail {

template <class... Lists>
struct joined_set;
template <class... As>
struct joined_set<one_of<As...>> {
    using type = policy_set<As...>;
};
template <class... As, class... Bs, class... More>
struct joined_set<one_of<As...>, one_of<Bs...>, More...> {
    using type = typename joined_set<one_of<As..., Bs...>, More...>::type;
};

} // namespace detail

/// The set that reads what a codec with these policies writes.
template <class Policies>
using policy_set_of = typename detail::joined_set<detail::as_list_t<typename Policies::grouping>,
                                                  detail::as_list_t<typename Policies::entropy>>::type;

} // namespace bigsmall
