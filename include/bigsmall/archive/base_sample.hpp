// SPDX-License-Identifier: BSL-1.0
// A few hundred words of a tensor, from places that depend on the number of its words only: samples of tensors that
// have as many can be compared.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include <bigsmall/archive/base_conversion.hpp>
#include <bigsmall/archive/base_words.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/archive/read_image.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/container/base_image.hpp>
#include <bigsmall/io/container/index.hpp>

namespace bigsmall::archive::detail {

inline constexpr std::uint64_t stretch_words = 32, stretches = 8, sample_words = stretch_words * stretches;

inline std::uint64_t words_of(const model_tensor& tensor) noexcept {
    return tensor.bytes / word_format_of(tensor.type).bytes;
}

/// Calls read(first word, count, at) for every stretch of a sample of a tensor of so many words; `at`: in the sample.
template <class Read>
void for_each_stretch(std::uint64_t words, Read&& read) {
    if (words <= sample_words) return read(std::uint64_t{0}, words, std::uint64_t{0});
    // The first words and the last are in it: a part of a larger tensor is found by them.
    const std::uint64_t last = words - stretch_words;
    for (std::uint64_t s = 0; s < stretches; ++s) {
        const std::uint64_t place = last / (stretches - 1) * s + last % (stretches - 1) * s / (stretches - 1);
        read(place, stretch_words, s * stretch_words);
    }
}

/// Samples `words` words of `width` bytes: read(first byte, bytes_span) reads them.
template <class Read>
byte_buffer take_sample(std::uint64_t words, std::size_t width, Read&& read) {
    byte_buffer sample(static_cast<std::size_t>(std::min(words, sample_words)) * width);
    for_each_stretch(words, [&](std::uint64_t first, std::uint64_t count, std::uint64_t at) {
        read(first * width,
             bytes_span(sample).subspan(static_cast<std::size_t>(at) * width, static_cast<std::size_t>(count) * width));
    });
    return sample;
}

/// The samples of a model's tensors, read when somebody asks for them first. Any thread may call.
class tensor_samples {
public:
    explicit tensor_samples(const model_reader& model) : model_(model), samples_(model.tensors().size()) {}

    const model_reader& model() const noexcept { return model_; }
    const model_tensor& tensor(std::size_t number) const { return model_.tensors()[number]; }

    /// Throws: as model_reader::read().
    const byte_buffer& of(std::size_t number) const {
        slot& at = samples_[number];
        const std::scoped_lock lock(at.mutex);
        if (at.taken) return at.sample;
        const model_tensor& wanted = tensor(number);
        at.sample = take_sample(words_of(wanted), word_format_of(wanted.type).bytes,
                                [&](std::uint64_t begin, bytes_span to) { model_.read(number, begin, to); });
        at.taken = true;
        return at.sample;
    }

private:
    struct slot {
        std::mutex mutex; // of what follows, until it is taken
        bool taken = false;
        byte_buffer sample;
    };

    const model_reader& model_;
    mutable std::deque<slot> samples_;
};

/// Two models and what is known of their tensors.
struct model_pair {
    tensor_samples target, base;

    model_pair(const model_reader& of_target, const model_reader& of_base) : target(of_target), base(of_base) {}
};

/// How elements of a base tensor become those of a target tensor; nothing when they cannot.
inline std::optional<io::base_conversion> conversion_to(const model_tensor& target, const model_tensor& base) noexcept {
    return conversion_between(base.dtype_name, target.dtype_name);
}

/// Words of a base tensor, converted.
inline byte_buffer converted(io::base_conversion conversion, bytes_view words) {
    const io::element_widths width = io::element_widths_of(conversion);
    byte_buffer to(words.size() / width.base * width.image);
    convert_floats(conversion, words, to);
    return to;
}

/// What the samples of two tensors of equally many words say.
inline relation whole_relation(const model_pair& models, std::size_t target, std::size_t base,
                               io::base_conversion conversion) {
    const word_format format = word_format_of(models.target.tensor(target).type);
    const byte_buffer &a = models.target.of(target), &b = models.base.of(base);
    if (conversion == io::base_conversion::none) return relation_of(format, a, b);
    return relation_of(format, a, converted(conversion, b));
}

/// What the samples of a tensor and of an image for it say.
inline relation image_relation(const model_pair& models, std::size_t target, const io::base_image& image) {
    const model_tensor& tensor = models.target.tensor(target);
    const word_format format = word_format_of(tensor.type);
    const image_reader reader(models.base.model(), image);
    const byte_buffer sample = take_sample(words_of(tensor), format.bytes,
                                           [&](std::uint64_t begin, bytes_span to) { reader.read(begin, to); });
    return relation_of(format, models.target.of(target), sample);
}

/// The image that is a whole tensor. `bytes`: of the target.
inline io::base_image whole_image(std::size_t base, std::uint64_t bytes, io::base_conversion conversion) {
    return {conversion, {{static_cast<std::uint32_t>(base), 0, bytes}}};
}

} // namespace bigsmall::archive::detail
