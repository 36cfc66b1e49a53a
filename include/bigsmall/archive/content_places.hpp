// SPDX-License-Identifier: BSL-1.0
// Where the contents of an archive are stored: each of them once, however many containers refer to it.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/io/container/index.hpp>

namespace bigsmall::archive::detail {

/// A content of an archive, by the numbers of its container and of its entry there.
struct content_number {
    std::uint32_t container = 0, content = 0;

    friend auto operator<=>(const content_number&, const content_number&) = default;
};

class content_places {
public:
    explicit content_places(const opened_archive& archive) : archive_(archive) {
        std::map<const io::container_reader*, std::uint32_t> numbers;
        for (std::uint32_t c = 0; c < archive.containers().size(); ++c)
            numbers.emplace(archive.containers()[c].reader.get(), c);
        for (const opened_container& container : archive.containers())
            for (const auto& sibling : container.siblings)
                if (const auto at = numbers.find(sibling.get()); at != numbers.end()) add(at->first, at->second);
    }

    /// Where a content of a container is to be looked for: in a sibling that is a container of this archive, too, when
    /// that has the very same content; else where it was asked for.
    content_number of(content_number asked) const {
        const opened_container& container = archive_.containers()[asked.container];
        const io::content_entry& entry = container.index().contents[asked.content];
        if (entry.home == 0 || entry.blocks.empty()) return asked;
        const auto stored = stored_.find(container.siblings[entry.home - 1].get());
        if (stored == stored_.end()) return asked;
        const auto at = stored->second.by_offset.find(entry.offset);
        if (at == stored->second.by_offset.end()) return asked;
        const content_number there{stored->second.container, at->second};
        return is_same(entry, (*this)[there]) ? there : asked;
    }

    const io::content_entry& operator[](content_number number) const {
        return archive_.containers()[number.container].index().contents[number.content];
    }

    /// All contents that can be read, each once. Bundles are among them, and so are their slices.
    std::vector<content_number> all() const {
        std::vector<content_number> numbers;
        for (std::uint32_t c = 0; c < archive_.containers().size(); ++c) {
            const opened_container& container = archive_.containers()[c];
            const std::vector<io::content_entry>& contents = container.index().contents;
            for (std::uint32_t i = 0; i < contents.size(); ++i) {
                const bool readable = contents[i].home == 0 || container.siblings[contents[i].home - 1] != nullptr;
                if (readable && of({c, i}) == content_number{c, i}) numbers.push_back({c, i});
            }
        }
        return numbers;
    }

private:
    struct own_contents {
        std::uint32_t container = 0;
        std::unordered_map<std::uint64_t, std::uint32_t> by_offset; ///< that have bytes, and an MD5
    };

    /// Checking the one checks the other: the same blocks, decoded in the same way, with the same MD5.
    static bool is_same(const io::content_entry& asked, const io::content_entry& stored) {
        return asked.raw_bytes == stored.raw_bytes && asked.block_bytes == stored.block_bytes &&
               asked.md5 == stored.md5 && asked.blocks == stored.blocks && stored.image == io::no_image;
    }

    void add(const io::container_reader* reader, std::uint32_t container) {
        const auto [at, is_new] = stored_.try_emplace(reader);
        if (!is_new) return;
        at->second.container = container;
        const io::container_index& index = reader->index();
        for (std::uint32_t i = 0; i < index.first_bundle(); ++i)
            if (const io::content_entry& content = index.contents[i]; content.home == 0 && !content.blocks.empty())
                at->second.by_offset.emplace(content.offset, i);
    }

    const opened_archive& archive_;
    std::map<const io::container_reader*, own_contents> stored_;
};

} // namespace bigsmall::archive::detail
