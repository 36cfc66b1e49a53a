// SPDX-License-Identifier: BSL-1.0
// The receipts of a container made again, from its blocks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/bundle_cache.hpp>
#include <bigsmall/archive/decode_block.hpp>
#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/archive/hash.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/container/index_rules.hpp>
#include <bigsmall/io/container/reader.hpp>
#include <bigsmall/io/file_source.hpp>

namespace bigsmall::archive::detail {

/// The MD5 of each content that is no bundle, in their order, or nothing when a content cannot be decoded: that of a
/// patch without its base, or one that lies in another file. Throws errc::cancelled.
class receipts_maker {
public:
    /// `path` is the place of the container, beside which others lie that hold some of its contents.
    receipts_maker(const std::filesystem::path& path, std::shared_ptr<const io::container_reader> reader,
                   const run_options& options)
        : container_{path, std::move(reader), {}, {}}, options_(options) {
        for (const std::string& name : container_.index().siblings)
            container_.siblings.push_back(open_sibling(path.parent_path() / name));
    }

    byte_buffer run() {
        byte_buffer receipts;
        const io::container_index& index = container_.index();
        for (std::size_t i = 0; i < index.first_bundle(); ++i) {
            try {
                const md5_digest md5 = md5_of(index.contents[i]);
                receipts.insert(receipts.end(), md5.begin(), md5.end());
            } catch (const error& failure) {
                if (failure.code() == errc::cancelled) throw;
                return {};
            }
        }
        return receipts;
    }

private:
    /// Null when it cannot be opened.
    static std::shared_ptr<const io::container_reader> open_sibling(const std::filesystem::path& path) {
        try {
            return std::make_shared<const io::container_reader>(std::make_shared<const io::file_source>(path));
        } catch (const error&) {
            return nullptr;
        }
    }

    md5_digest md5_of(const io::content_entry& content) {
        hash_.start(methods_.md5());
        if (content.is_slice()) {
            raw_.resize(static_cast<std::size_t>(content.raw_bytes));
            bundles_.read(container_, content, 0, raw_, codec_, memory_);
            hash_.update(raw_);
            return hash_.finish();
        }
        if (content.is_unchanged()) throw error(errc::missing, "this is a patch, which needs its base");
        const std::vector<std::uint64_t> offsets = io::block_offsets(content);
        for (std::size_t b = 0; b < content.blocks.size(); ++b) {
            check_cancelled(options_);
            raw_.resize(static_cast<std::size_t>(io::raw_block_bytes(content, b)));
            decode_block(container_, content, b, offsets[b], raw_, codec_, memory_);
            hash_.update(raw_);
        }
        return hash_.finish();
    }

    opened_container container_;
    const run_options& options_;
    codec_ref codec_ = default_codec();
    bundle_cache bundles_;
    decode_memory memory_;
    hash_methods methods_;
    md5_hasher hash_;
    byte_buffer raw_;
};

} // namespace bigsmall::archive::detail
