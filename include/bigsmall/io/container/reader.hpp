// SPDX-License-Identifier: BSL-1.0
// Opens a container with one read from its end, and gives its index and its blocks.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/format.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/index_codec.hpp>
#include <bigsmall/io/container/index_rules.hpp>
#include <bigsmall/io/container/recovery.hpp>
#include <bigsmall/io/source.hpp>

namespace bigsmall::io {

/// Const member functions may be called from many threads at once. Movable.
class container_reader {
public:
    /// Which of the parts that opening can do without are undamaged.
    struct health {
        bool header_ok = false;
        bool footer_a_ok = false;
        bool footer_b_ok = false;
        bool index_a_ok = false;
        bool index_b_ok = false;
        bool size_ok = false; ///< the file has exactly the bytes that its footer announces
        bool receipts_ok = false; ///< the MD5s of the contents are there

        bool all_ok() const noexcept {
            return header_ok && footer_a_ok && footer_b_ok && index_a_ok && index_b_ok && size_ok && receipts_ok;
        }
    };

    /// Reads and checks the index; one intact footer and one intact copy of the index are enough.
    /// Throws: errc::unsupported for other formats and for newer versions of this one; errc::truncated,
    /// errc::corrupt for what is left of a container; errc::io.
    explicit container_reader(std::shared_ptr<const source> file) : file_(std::move(file)) {
        try {
            const detail::tail_view tail(*file_);
            footer_ = detail::find_footer(*file_, tail);
            require_supported(footer_.major, footer_.required_features);
            read_index(tail);
            if ((required_features(index_) | feature_lean_index) != (footer_.required_features | feature_lean_index))
                throw error(errc::corrupt, "the index needs other features than the footer names");
            check_within_payload(index_, footer_.payload_end(), errc::corrupt);
        } catch (error& e) {
            e.in_file(file_->name());
            throw;
        }
        number_blocks();
    }

    /// A container that is being written: its blocks are in `file`, up to `payload_end`, and its index is known.
    /// Throws: errc::invalid_argument when the index breaks a rule or describes blocks that are not there.
    container_reader(std::shared_ptr<const source> file, container_index index, std::uint64_t payload_end)
        : file_(std::move(file)), index_(std::move(index)) {
        check_index(index_, errc::invalid_argument);
        footer_.copy_a_offset = payload_end;
        check_within_payload(index_, payload_end, errc::invalid_argument);
        number_blocks();
    }

    const container_index& index() const noexcept { return index_; }
    const source& file() const noexcept { return *file_; }
    const container_footer& footer() const noexcept { return footer_; }

    /// The offset in the file of a block, for a content of index() that lies in this file, or of another
    /// container's index that names this file as its home. Constant time for the former.
    /// Throws: errc::missing when a content of index() lies in a sibling; errc::invalid_argument when there
    /// is no such block.
    std::uint64_t block_offset(const content_entry& content, std::size_t block) const {
        if (block >= content.blocks.size())
            throw error(errc::invalid_argument, "there is no block " + std::to_string(block) +
                                                    " in a content of " +
                                                    std::to_string(content.blocks.size()) + " blocks");
        const auto own = number_of(content);
        if (!own) return block_offsets(content)[block];
        if (content.home != 0)
            throw error(errc::missing, "these bytes are stored in another file, " +
                                           in_quotes(index_.siblings[content.home - 1]) +
                                           ", which is needed beside this one")
                .in_file(file_->name());
        return offsets_[first_block_[*own] + block];
    }

    /// Reads the stored bytes of a block into `stored` (whose capacity is reused) and checks them.
    /// Throws: errc::corrupt when the checksum fails or the block lies outside of the payload; as
    /// block_offset(); errc::truncated, errc::io.
    void read_block(const content_entry& content, std::size_t block, byte_buffer& stored) const {
        // A statement of its own: arguments have no order, and block_offset() checks the number.
        const std::uint64_t offset = block_offset(content, block);
        read_block_at(offset, content.blocks[block], block, stored);
    }

    /// The same when the caller knows the offset, as from block_offsets(). `block` is for messages.
    void read_block_at(std::uint64_t offset, const block_entry& entry, std::size_t block,
                       byte_buffer& stored) const {
        const std::string place = "block " + std::to_string(block) + " (bytes " + std::to_string(offset) +
                                  " to " + std::to_string(offset + entry.stored_bytes) + " of the file)";
        if (offset > footer_.payload_end() || entry.stored_bytes > footer_.payload_end() - offset)
            throw error(errc::corrupt, place + " lies behind the payload").in_file(file_->name());
        stored.resize(static_cast<std::size_t>(entry.stored_bytes));
        file_->read(offset, stored);
        if (checksum(stored) == entry.checksum) return;
        throw error(errc::corrupt, place + " is damaged: its checksum fails").in_file(file_->name());
    }

    /// The state of the header, the footers and both copies of the index. The first call reads those that
    /// opening did not need. Throws: errc::io.
    const health& state() const {
        std::call_once(examined_->once, [this] { examined_->found = examine(); });
        return examined_->found;
    }

private:
    struct examination {
        std::once_flag once;
        health found;
    };

    void read_index(const detail::tail_view& tail) {
        const byte_buffer raw = detail::read_raw_index(*file_, tail, footer_);
        byte_buffer room;
        bytes_view receipts = tail.get(footer_.payload_end(), footer_.receipts_bytes, room);
        const bool lost = footer_.receipts_bytes > 0 && checksum(receipts) != footer_.receipts_checksum;
        if (lost) {
            room.assign(receipts.size(), 0); // base tensors have some of them, too
            receipts = room;
        }
        index_ = decode_index(raw, footer_.required_features, receipts);
        index_.receipts_lost = lost;
    }

    void number_blocks() {
        std::size_t blocks = 0;
        for (const content_entry& content : index_.contents)
            blocks += content.blocks.size();
        offsets_.reserve(blocks);
        first_block_.reserve(index_.contents.size());
        for (const content_entry& content : index_.contents) {
            first_block_.push_back(offsets_.size());
            std::uint64_t position = content.offset;
            for (const block_entry& block : content.blocks) {
                offsets_.push_back(offset_of(block, position));
                if (block.shared_at == 0) position = offsets_.back() + block.stored_bytes;
            }
        }
    }

    std::optional<std::size_t> number_of(const content_entry& content) const noexcept {
        const content_entry* const begin = index_.contents.data();
        const content_entry* const end = begin + index_.contents.size();
        if (std::less<>()(&content, begin) || !std::less<>()(&content, end)) return std::nullopt;
        return static_cast<std::size_t>(&content - begin);
    }

    bool footer_at(std::uint64_t offset) const {
        if (offset > file_->size() || file_->size() - offset < container_footer_bytes) return false;
        std::array<std::uint8_t, container_footer_bytes> bytes{};
        file_->read(offset, bytes);
        return parse_footer(bytes) == footer_;
    }

    health examine() const {
        health found;
        std::array<std::uint8_t, container_header_bytes> first{};
        file_->read(0, first);
        const auto header = parse_header(first);
        found.header_ok = header && header->major == footer_.major &&
                          header->required_features == footer_.required_features;
        found.footer_a_ok = footer_at(footer_.copy_a_offset + footer_.stored_bytes);
        found.footer_b_ok = footer_at(footer_.copy_b_offset + footer_.stored_bytes);
        const detail::tail_view tail(*file_);
        byte_buffer room;
        const auto intact = [&](std::uint64_t offset) {
            return detail::intact_copy(*file_, tail, offset, footer_, room).has_value();
        };
        found.index_a_ok = intact(footer_.copy_a_offset);
        found.index_b_ok = intact(footer_.copy_b_offset);
        found.receipts_ok = !index_.receipts_lost;
        found.size_ok = file_->size() == footer_.file_bytes;
        return found;
    }

    std::shared_ptr<const source> file_;
    container_footer footer_;
    container_index index_;
    std::vector<std::uint64_t> offsets_;   // of every block, content after content
    std::vector<std::size_t> first_block_; // of each content, in offsets_
    std::unique_ptr<examination> examined_ = std::make_unique<examination>();
};

} // namespace bigsmall::io
