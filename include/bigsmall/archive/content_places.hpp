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
struct content_place {
    std::uint32_t container = 0, content = 0;

    friend auto operator<=>(const content_place&, const content_place&) = default;
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

    /// The place of content number `content` of a container: that in a sibling which is a container of this archive,
    /// too, where it has the content; else the one that was asked for.
    content_place of(std::uint32_t container, std::uint32_t content) const {
        const opened_container& asked = archive_.containers()[container];
        const io::content_entry& entry = asked.index().contents[content];
        if (entry.home != 0)
            if (const auto at = stored_.find(asked.siblings[entry.home - 1].get()); at != stored_.end())
                if (const auto there = at->second.by_offset.find(entry.offset); there != at->second.by_offset.end())
                    return {at->second.container, there->second};
        return {container, content};
    }

    const io::content_entry& operator[](content_place place) const {
        return archive_.containers()[place.container].index().contents[place.content];
    }

    /// All contents that can be read, each once. Bundles are among them, and so are their slices.
    std::vector<content_place> all() const {
        std::vector<content_place> places;
        for (std::uint32_t c = 0; c < archive_.containers().size(); ++c) {
            const opened_container& container = archive_.containers()[c];
            const std::vector<io::content_entry>& contents = container.index().contents;
            for (std::uint32_t i = 0; i < contents.size(); ++i) {
                const bool readable = contents[i].home == 0 || container.siblings[contents[i].home - 1] != nullptr;
                if (readable && of(c, i) == content_place{c, i}) places.push_back({c, i});
            }
        }
        return places;
    }

private:
    struct own_contents {
        std::uint32_t container = 0;
        std::unordered_map<std::uint64_t, std::uint32_t> by_offset;
    };

    void add(const io::container_reader* reader, std::uint32_t container) {
        const auto [at, is_new] = stored_.try_emplace(reader);
        if (!is_new) return;
        at->second.container = container;
        const std::vector<io::content_entry>& contents = reader->index().contents;
        for (std::uint32_t i = 0; i < contents.size(); ++i)
            if (contents[i].home == 0 && !contents[i].blocks.empty())
                at->second.by_offset.emplace(contents[i].offset, i);
    }

    const opened_archive& archive_;
    std::map<const io::container_reader*, own_contents> stored_;
};

} // namespace bigsmall::archive::detail
