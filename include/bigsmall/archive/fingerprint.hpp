// SPDX-License-Identifier: BSL-1.0
// A model in some kilobytes: what its tensors are, and a few words of the heaviest of them. Two fingerprints tell about
// how large a patch from one model to the other would be. docs/format/fingerprints.md describes the bytes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/archive/fingerprint_sample.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/checked.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/core/varint.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/byte_writer.hpp>

namespace bigsmall::archive {

inline constexpr std::size_t max_fingerprint_tensors = std::size_t{1} << 20;
inline constexpr std::size_t max_sampled_tensors = 512;
/// What sampling may cost when every block has 1 MiB: as much of an archive is decoded at the default point; at the
/// storage point, whose blocks have 4 MiB, four times that.
inline constexpr std::uint64_t max_sampled_bytes = 64 * MiB;

struct tensor_fingerprint {
    static constexpr std::uint32_t no_words = 0xffffffff;

    std::uint64_t name = 0; ///< XXH3 of the name without what frameworks put before it
    std::uint32_t role = 0; ///< of the name without its numbers: equal for one job in many layers
    std::uint8_t dtype = detail::unknown_dtype;
    std::uint64_t bytes = 0;
    std::uint64_t rows = 0;            ///< the first dimension; 1 for a scalar
    std::uint32_t words_at = no_words; ///< where its words begin in model_fingerprint::words

    bool sampled() const noexcept { return words_at != no_words; }
    detail::word_type type() const noexcept { return detail::word_type_of(dtype); }
    detail::sample_places places() const noexcept { return detail::places_of(bytes / type().bytes, type()); }

    bool operator==(const tensor_fingerprint&) const = default;
};

/// The same for the same tensors, whatever files they lie in.
struct model_fingerprint {
    std::vector<tensor_fingerprint> tensors; ///< by name, numbers in names by their value
    byte_buffer words;                       ///< of the sampled tensors, one after another
    std::uint64_t bytes = 0;                 ///< of all tensors

    bool operator==(const model_fingerprint&) const = default;
};

namespace detail {

/// Without the wrappers under which frameworks save the same model.
inline std::string_view plain_name(std::string_view name) noexcept {
    constexpr std::array<std::string_view, 7> wrappers{
        "model.", "module.", "_orig_mod.", "base_model.", "transformer.", "language_model.", "_forward_module."};
    for (bool again = true; again;) {
        again = false;
        for (const std::string_view wrapper : wrappers)
            if (name.size() > wrapper.size() && name.starts_with(wrapper)) {
                name.remove_prefix(wrapper.size());
                again = true;
            }
    }
    return name;
}

inline bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

inline std::string_view leading_digits(std::string_view text) noexcept {
    const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
    return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

inline std::string role_name(std::string_view name) {
    std::string role;
    while (!name.empty()) {
        const std::size_t digits = leading_digits(name).size();
        role += digits > 0 ? '#' : name.front();
        name.remove_prefix(std::max<std::size_t>(digits, 1));
    }
    return role;
}

/// "layers.9" before "layers.10".
inline bool natural_less(std::string_view a, std::string_view b) noexcept {
    const auto differ = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
    const auto same = static_cast<std::size_t>(differ - a.begin());
    std::size_t number = same; // where the number begins in which they differ
    while (number > 0 && is_digit(a[number - 1]))
        --number;
    const std::string_view x = leading_digits(a.substr(number)), y = leading_digits(b.substr(number));
    if (x != y && !x.empty() && !y.empty()) return x.size() != y.size() ? x.size() < y.size() : x < y;
    return a.substr(same) < b.substr(same);
}

/// Which tensors to read: by chance, a tensor of more bytes more likely. The dice are the names, so that two models
/// choose the same ones.
inline std::vector<std::size_t> choose_sampled(const std::vector<tensor_fingerprint>& tensors) {
    std::vector<double> priority;
    for (const tensor_fingerprint& tensor : tensors)
        priority.push_back(static_cast<double>(tensor.bytes) / (static_cast<double>(tensor.name >> 11) + 1));
    std::vector<std::size_t> order(tensors.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return priority[a] > priority[b]; });
    std::vector<std::size_t> chosen;
    std::uint64_t cost = 0;
    for (const std::size_t i : order) {
        const std::uint64_t more = std::min<std::uint64_t>(tensors[i].bytes, 1 * MiB);
        if (more == 0 || more > max_sampled_bytes - cost) continue;
        cost += more;
        chosen.push_back(i);
        if (chosen.size() == max_sampled_tensors) break;
    }
    return chosen;
}

/// The words of one tensor, read as one stretch.
inline void read_words(const model_reader& model, std::size_t tensor, word_type type, const sample_places& places,
                       byte_buffer& room, bytes_span to) {
    room.resize(static_cast<std::size_t>(places.span() * type.bytes));
    model.read(tensor, places.begin * type.bytes, room);
    const std::size_t run = std::size_t{places.run} * type.bytes;
    for (std::size_t i = 0; i < places.runs; ++i)
        std::copy_n(room.begin() + static_cast<std::ptrdiff_t>(i * places.stride * type.bytes), run,
                    to.begin() + static_cast<std::ptrdiff_t>(i * run));
}

/// Says where the words of the chosen ones begin, and makes room for them.
inline void place_words(model_fingerprint& print, const std::vector<std::size_t>& chosen) {
    for (const std::size_t i : chosen)
        print.tensors[i].words_at = 0;
    std::size_t bytes = 0;
    for (tensor_fingerprint& tensor : print.tensors) {
        if (!tensor.sampled()) continue;
        tensor.words_at = static_cast<std::uint32_t>(bytes);
        bytes += std::size_t{tensor.places().words()} * tensor.type().bytes;
    }
    print.words.resize(bytes);
}

inline tensor_fingerprint describe(const model_tensor& tensor) {
    const std::string_view name = plain_name(tensor.name);
    tensor_fingerprint print;
    print.name = io::checksum(as_bytes_view(name));
    print.role = static_cast<std::uint32_t>(io::checksum(as_bytes_view(role_name(name))));
    print.dtype = dtype_number(tensor.dtype_name);
    print.bytes = tensor.bytes;
    print.rows = tensor.shape.empty() ? 1 : tensor.shape.front();
    return print;
}

} // namespace detail

/// Reads at most 256 KiB of each of at most 512 tensors; of an archive, the blocks that they lie in.
/// Throws: errc::limit when there are more than 2^20 tensors; as model_reader::read().
inline model_fingerprint fingerprint_of(const model_reader& model) {
    const std::vector<model_tensor>& tensors = model.tensors();
    if (tensors.size() > max_fingerprint_tensors)
        throw error(errc::limit, "it has more than " + std::to_string(max_fingerprint_tensors) + " tensors")
            .in_file(model.path().string());
    std::vector<std::size_t> order(tensors.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return detail::natural_less(tensors[a].name, tensors[b].name);
    });
    model_fingerprint print;
    for (const std::size_t i : order) {
        print.tensors.push_back(detail::describe(tensors[i]));
        print.bytes += tensors[i].bytes;
    }
    std::vector<std::size_t> chosen = detail::choose_sampled(print.tensors);
    detail::place_words(print, chosen);
    // In the order of the files: small tensors of an archive lie many in one block, which is then decoded once.
    std::sort(chosen.begin(), chosen.end(), [&](std::size_t a, std::size_t b) { return order[a] < order[b]; });
    byte_buffer room;
    for (const std::size_t i : chosen) {
        const tensor_fingerprint& tensor = print.tensors[i];
        const detail::sample_places places = tensor.places();
        detail::read_words(
            model, order[i], tensor.type(), places, room,
            bytes_span(print.words).subspan(tensor.words_at, std::size_t{places.words()} * tensor.type().bytes));
    }
    return print;
}

inline byte_buffer encode_fingerprint(const model_fingerprint& print) {
    io::detail::byte_writer to;
    to.varint(print.tensors.size());
    for (const tensor_fingerprint& tensor : print.tensors) {
        to.fixed(tensor.name);
        to.fixed(tensor.role);
        to.u8(tensor.dtype);
        to.u8(tensor.sampled() ? 1 : 0);
        to.varint(tensor.bytes);
        to.varint(tensor.rows);
    }
    to.bytes(print.words);
    return to.take();
}

namespace detail {

/// Nothing when no tensor can be like that.
inline std::optional<tensor_fingerprint> read_tensor(byte_cursor& from) {
    tensor_fingerprint tensor;
    tensor.name = from.read<std::uint64_t>();
    tensor.role = from.read<std::uint32_t>();
    tensor.dtype = from.read<std::uint8_t>();
    const auto sampled = from.read<std::uint8_t>();
    tensor.bytes = from.read_varint();
    tensor.rows = from.read_varint();
    const bool known = tensor.dtype == unknown_dtype || tensor.dtype < bigsmall::detail::dtypes.size();
    if (!from.ok() || !known || sampled > 1 || tensor.bytes % tensor.type().bytes != 0) return std::nullopt;
    if (sampled == 1 && tensor.bytes == 0) return std::nullopt;
    if (sampled == 1) tensor.words_at = 0;
    return tensor;
}

} // namespace detail

/// Nothing when the bytes are no fingerprint. Takes little more memory than the bytes, whatever they say.
inline std::optional<model_fingerprint> decode_fingerprint(bytes_view bytes) {
    constexpr std::size_t least_tensor_bytes = 16;
    byte_cursor from(bytes);
    const std::uint64_t count = from.read_varint();
    if (!from.ok() || count > max_fingerprint_tensors || count > from.left() / least_tensor_bytes) return std::nullopt;
    model_fingerprint print;
    print.tensors.reserve(static_cast<std::size_t>(count));
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < count; ++i) {
        const auto tensor = detail::read_tensor(from);
        const auto sum = checked_add(print.bytes, tensor ? tensor->bytes : 0);
        if (!tensor || !sum || *sum > std::uint64_t{1} << 63) return std::nullopt;
        print.bytes = *sum;
        print.tensors.push_back(*tensor);
        if (tensor->sampled()) chosen.push_back(i);
    }
    if (chosen.size() > max_sampled_tensors) return std::nullopt;
    detail::place_words(print, chosen);
    const bytes_view words = from.take(print.words.size());
    if (!from.finished()) return std::nullopt;
    print.words.assign(words.begin(), words.end());
    return print;
}

} // namespace bigsmall::archive
