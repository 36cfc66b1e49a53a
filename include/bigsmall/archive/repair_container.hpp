// SPDX-License-Identifier: BSL-1.0
// Repairs a container without parity: with what it holds twice, a second copy of it, or the model that was packed.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/original_blocks.hpp>
#include <bigsmall/archive/receipts_again.hpp>
#include <bigsmall/archive/repair_output.hpp>
#include <bigsmall/archive/repair_report.hpp>
#include <bigsmall/archive/unfinished_change.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/format.hpp>
#include <bigsmall/io/container/index_rules.hpp>
#include <bigsmall/io/container/reader.hpp>
#include <bigsmall/io/ecc/sidecar.hpp>
#include <bigsmall/io/file_operations.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/in_place_file.hpp>
#include <bigsmall/io/source.hpp>

namespace bigsmall::archive {

namespace detail {

/// Looks at each part: header, block, padding, receipts, index, footer. Calls `restored(offset, bytes)`, in the order
/// of the file, with each part that was damaged and is known again.
template <class Restored>
class container_repair {
public:
    /// `other` may be a second copy of the container, and `original` the model that was packed; null: there is none.
    container_repair(const std::filesystem::path& path, std::shared_ptr<const io::source> file,
                     std::shared_ptr<const io::source> other, const std::filesystem::path& original,
                     const run_options& options, Restored& restored)
        : path_(path),
          file_(std::move(file)),
          other_(std::move(other)),
          reader_(open()),
          options_(options),
          restored_(restored) {
        if (!original.empty()) original_.emplace(reader_->index(), original);
    }

    /// Of the whole container.
    std::uint64_t file_bytes() const noexcept { return reader_->footer().file_bytes; }

    repair_report run() {
        const io::container_footer& footer = reader_->footer();
        report_.file_bytes = footer.file_bytes;
        report_.found_bytes = file_->size();
        settle_header(footer);
        mend_blocks();
        mend_receipts();
        const byte_buffer index = stored_index();
        const auto footer_bytes = io::encode_footer(footer);
        settle(footer.copy_a_offset, index);
        settle(footer.copy_a_offset + index.size(), footer_bytes);
        if (footer.copy_b_offset != footer.copy_a_offset) {
            settle(footer.copy_b_offset, index);
            settle(footer.copy_b_offset + index.size(), footer_bytes);
        }
        return std::move(report_);
    }

private:
    using reader_ptr = std::shared_ptr<const io::container_reader>;

    /// The index of the file, or that of its copy when it has lost its own.
    reader_ptr open() const {
        reader_ptr of_other;
        if (other_) of_other = std::make_shared<io::container_reader>(other_);
        try {
            auto own = std::make_shared<io::container_reader>(file_);
            if (of_other && of_other->footer() != own->footer())
                throw error(errc::mismatch, "this is not a copy of the file that is to be repaired: their indexes "
                                            "are different")
                    .in_file(other_->name());
            if (of_other && own->index().receipts_lost) return of_other;
            return own;
        } catch (const error& failure) {
            if (!of_other || failure.code() == errc::mismatch) throw;
        }
        require_copy(*of_other);
        return of_other;
    }

    /// A file that has lost its index is a copy of `other` as far as its blocks say so: one in 64 of them at least.
    void require_copy(const io::container_reader& other) const {
        std::uint64_t blocks = 0, equal = 0;
        byte_buffer stored;
        for (const io::content_entry& content : other.index().contents) {
            if (content.home != 0 || content.blocks.empty()) continue;
            const std::vector<std::uint64_t> offsets = io::block_offsets(content);
            for (std::size_t b = 0; b < content.blocks.size(); ++b) {
                stored.resize(static_cast<std::size_t>(content.blocks[b].stored_bytes));
                const bool read = io::detail::read_if_possible(*file_, offsets[b], stored);
                equal += read && io::checksum(stored) == content.blocks[b].checksum ? 1 : 0;
                ++blocks;
            }
        }
        if (blocks == 0 || (equal > 0 && equal >= blocks / 64)) return;
        throw error(errc::mismatch, "it has no index that can be read, and hardly anything in it is that of the copy")
            .in_file(file_->name());
    }

    /// A header that is whole stays, whatever a later version has written into it.
    void settle_header(const io::container_footer& footer) {
        std::array<std::uint8_t, io::container_header_bytes> found{};
        const auto header = io::detail::read_if_possible(*file_, 0, found) ? io::parse_header(found) : std::nullopt;
        if (header && header->major == footer.major && header->required_features == footer.required_features) {
            ++report_.cells;
            return;
        }
        io::container_header made;
        made.minor = footer.minor;
        made.required_features = footer.required_features;
        settle(0, io::encode_header(made));
    }

    /// The file has these bytes there, or gets them.
    void settle(std::uint64_t offset, bytes_view bytes) {
        ++report_.cells;
        byte_buffer found(bytes.size());
        if (io::detail::read_if_possible(*file_, offset, found) &&
            std::equal(found.begin(), found.end(), bytes.begin()))
            return;
        ++report_.damaged_cells;
        ++report_.restored_cells;
        restored_(offset, bytes);
    }

    void lose(std::uint64_t offset, std::uint64_t bytes) {
        ++report_.damaged_cells;
        report_.lost.push_back({offset, bytes});
    }

    struct block_place {
        std::uint64_t offset = 0;
        std::uint32_t content = 0;
        std::size_t number = 0;
    };

    /// In the order of the file.
    std::vector<block_place> own_blocks() const {
        std::vector<block_place> blocks;
        const std::vector<io::content_entry>& contents = reader_->index().contents;
        for (std::uint32_t c = 0; c < contents.size(); ++c) {
            if (contents[c].home != 0 || contents[c].blocks.empty()) continue;
            const std::vector<std::uint64_t> offsets = io::block_offsets(contents[c]);
            for (std::size_t b = 0; b < contents[c].blocks.size(); ++b)
                if (contents[c].blocks[b].shared_at == 0) blocks.push_back({offsets[b], c, b});
        }
        std::sort(blocks.begin(), blocks.end(),
                  [](const block_place& a, const block_place& b) { return a.offset < b.offset; });
        return blocks;
    }

    void mend_blocks() {
        std::uint64_t position = io::container_header_bytes;
        for (const block_place& at : own_blocks()) {
            check_cancelled(options_);
            pad(position, at.offset);
            mend_block(at);
            position = at.offset + entry_of(at).stored_bytes;
            if (options_.progress != nullptr)
                options_.progress->on_progress({file_->name(), position, report_.file_bytes, 0});
        }
        pad(position, reader_->footer().payload_end());
    }

    /// Between blocks there are zeros, and fewer than a block is aligned to.
    void pad(std::uint64_t begin, std::uint64_t end) {
        constexpr std::array<std::uint8_t, io::block_alignment> zeros{};
        if (begin < end && end - begin < zeros.size())
            settle(begin, bytes_view(zeros).first(static_cast<std::size_t>(end - begin)));
    }

    const io::block_entry& entry_of(const block_place& at) const {
        return reader_->index().contents[at.content].blocks[at.number];
    }

    bool has_block(const io::source& from, const block_place& at) {
        const io::block_entry& entry = entry_of(at);
        stored_.resize(static_cast<std::size_t>(entry.stored_bytes));
        return io::detail::read_if_possible(from, at.offset, stored_) && io::checksum(stored_) == entry.checksum;
    }

    void mend_block(const block_place& at) {
        ++report_.cells;
        if (has_block(*file_, at)) return;
        bool found = other_ && has_block(*other_, at);
        if (!found && original_) {
            if (auto made = original_->make(at.content, at.number)) {
                stored_ = std::move(*made);
                found = true;
            }
        }
        if (!found) {
            lose(at.offset, entry_of(at).stored_bytes);
            name_tensors(at.content);
            return;
        }
        ++report_.damaged_cells;
        ++report_.restored_cells;
        restored_(at.offset, bytes_view(stored_));
    }

    /// All that a content, or a slice of it, is in.
    void name_tensors(std::uint32_t lost) {
        const io::container_index& index = reader_->index();
        for (const io::member_entry& member : index.members) {
            std::vector<std::string> names;
            for (std::size_t i = 0; i < member.extents.size(); ++i) {
                const std::uint32_t content = member.extents[i].content;
                if (content != lost && index.contents[content].bundle != lost) continue;
                if (names.empty()) names = extent_names(member);
                if (!names[i].empty()) report_.lost_tensors.insert(names[i]);
            }
        }
    }

    void mend_receipts() {
        const io::container_footer& footer = reader_->footer();
        if (footer.receipts_bytes == 0) return;
        byte_buffer receipts(static_cast<std::size_t>(footer.receipts_bytes));
        const auto fits = [&] { return io::checksum(receipts) == footer.receipts_checksum; };
        if (io::detail::read_if_possible(*file_, footer.payload_end(), receipts) && fits()) {
            ++report_.cells;
            return;
        }
        if (!(other_ && io::detail::read_if_possible(*other_, footer.payload_end(), receipts) && fits()) &&
            report_.lost.empty())
            receipts = receipts_maker(path_, reader_, options_).run();
        if (receipts.size() == footer.receipts_bytes && fits()) return settle(footer.payload_end(), receipts);
        ++report_.cells;
        lose(footer.payload_end(), footer.receipts_bytes);
    }

    /// One of the copies is whole, or there would be no reader.
    byte_buffer stored_index() const {
        const io::container_footer& footer = reader_->footer();
        const io::detail::tail_view tail(reader_->file());
        byte_buffer room;
        for (const std::uint64_t offset : {footer.copy_b_offset, footer.copy_a_offset})
            if (const auto stored = io::detail::intact_copy(reader_->file(), tail, offset, footer, room))
                return {stored->begin(), stored->end()};
        throw error(errc::corrupt, "the index was damaged while it was being read").in_file(path_.string());
    }

    std::filesystem::path path_;
    std::shared_ptr<const io::source> file_, other_;
    reader_ptr reader_;
    const run_options& options_;
    Restored& restored_;
    std::optional<original_blocks> original_;
    repair_report report_;
    byte_buffer stored_;
};

/// A second copy of a container, or null when it is something else, which goes to `original`.
inline std::shared_ptr<const io::source> second_copy(const std::filesystem::path& from,
                                                     std::filesystem::path& original) {
    std::error_code failed;
    if (from.empty()) return nullptr;
    if (std::filesystem::is_directory(from, failed)) {
        original = from;
        return nullptr;
    }
    auto file = std::make_shared<io::file_source>(from);
    try {
        const io::container_reader opened(file);
    } catch (const error& failure) {
        if (failure.code() != errc::unsupported) throw;
        original = from;
        return nullptr;
    }
    return file;
}

template <class Restored>
container_repair<Restored> make_container_repair(const std::filesystem::path& path,
                                                 std::shared_ptr<const io::source> file, const repair_options& options,
                                                 Restored& restored) {
    std::filesystem::path original;
    std::shared_ptr<const io::source> other = second_copy(options.from, original);
    return {path, std::move(file), std::move(other), original, options, restored};
}

} // namespace detail

/// Looks at a container and tells what is damaged, and what of it can be made again or taken from options.from.
/// Nothing is written. Throws: as opening the container does, when neither it nor the copy has an index;
/// errc::mismatch when the copy is another container; errc::io; errc::cancelled.
inline repair_report check_container(const std::filesystem::path& file, const repair_options& options) {
    auto forget = [](std::uint64_t, bytes_view) {};
    return detail::make_container_repair(file, std::make_shared<io::file_source>(file), options, forget).run();
}

/// Writes the repaired container to `output`, with what is there of the parts that are lost.
/// Throws: as check_container(); errc::exists; errc::invalid_argument when the output is one of the inputs.
inline repair_report repair_container_to(const std::filesystem::path& file, const std::filesystem::path& output,
                                         const repair_options& options) {
    detail::require_apart(output, {file, options.from});
    const auto from = std::make_shared<io::file_source>(file);
    io::atomic_file to(output, options.existing);
    auto write = [&](std::uint64_t offset, bytes_view bytes) { to.overwrite(offset, bytes); };
    auto repair = detail::make_container_repair(file, from, options, write);
    constexpr std::uint64_t sector = 512; // what a disk loses at once at the least
    detail::copy_what_is_there(*from, repair.file_bytes(), to, options,
                               [](std::uint64_t offset) { return offset - offset % sector + sector; });
    repair_report report = repair.run();
    to.commit();
    return report;
}

/// Writes what is known again into the file. Whenever the run is killed, it can be run again: nothing is written that
/// does not belong there. Throws: as check_container(); errc::invalid_argument when a symbolic link leads to the file;
/// errc::exists when another run is changing it.
inline repair_report repair_container_in_place(const std::filesystem::path& file, const repair_options& options,
                                               io::file_operations& operations) {
    io::in_place_file target(file, operations);
    require_no_pending_change(file);
    auto write = [&](std::uint64_t offset, bytes_view bytes) {
        if (target.size() < offset + bytes.size()) target.resize(offset + bytes.size());
        target.write(offset, bytes);
    };
    repair_report report =
        detail::make_container_repair(file, std::make_shared<io::file_source>(file), options, write).run();
    if (report.repairable() && target.size() != report.file_bytes) target.resize(report.file_bytes);
    if (!report.file_whole()) target.flush();
    return report;
}

} // namespace bigsmall::archive
