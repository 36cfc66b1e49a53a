// SPDX-License-Identifier: BSL-1.0
// Random access: one tensor, or a range of one, without the rest of the archive.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/restore.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/container/index_rules.hpp>
#include <bigsmall/io/printable.hpp>
#include <bigsmall/io/safetensors/layout.hpp>
#include <bigsmall/parallel/executor.hpp>
#include <bigsmall/parallel/pool.hpp>

namespace bigsmall::archive {

/// A tensor that can be read.
struct tensor_entry {
    std::string name, dtype_name;
    std::vector<std::uint64_t> shape;
    std::uint64_t bytes = 0;
    std::string member; ///< the file that it belongs to
    md5_digest md5{};   ///< zeros when the receipts of its container are damaged
    std::size_t container = 0; ///< which container of the archive lists it
    std::uint32_t content = 0; ///< which content in there it is
};

/// Reads tensors of a container, or of a directory with bigsmall.index.json. Const member functions may be
/// called from many threads at once. Every block is checked by its checksum; the MD5 of a tensor is there for
/// those who read all of it.
class archive_reader {
public:
    /// Throws: errc::missing, errc::corrupt, errc::truncated, errc::unsupported, errc::io.
    explicit archive_reader(const std::filesystem::path& path, const codec_ref& codec = default_codec())
        : archive_reader(opened_archive(path), codec) {}

    /// The same of an archive that is open already: of a patch to which its base was given.
    explicit archive_reader(opened_archive archive, const codec_ref& codec = default_codec())
        : archive_(std::move(archive)), codec_(codec) {
        archive_.require_whole();
        for (std::size_t c = 0; c < archive_.containers().size(); ++c)
            for (const io::member_entry& member : archive_.containers()[c].index().members)
                list_tensors(c, member);
        for (std::size_t i = 0; i < tensors_.size(); ++i)
            by_name_.emplace(tensors_[i].name, i);
    }

    const opened_archive& archive() const noexcept { return archive_; }

    /// All tensors in file order.
    const std::vector<tensor_entry>& tensors() const noexcept { return tensors_; }

    /// The tensor of that name, the first when several files have one, or null.
    const tensor_entry* find(std::string_view name) const {
        const auto at = by_name_.find(std::string(name));
        return at == by_name_.end() ? nullptr : &tensors_[at->second];
    }

    /// The tensor of that name. Throws: errc::missing.
    const tensor_entry& at(std::string_view name) const {
        if (const tensor_entry* found = find(name)) return *found;
        throw error(errc::missing, "there is no tensor " + io::in_quotes(name)).in_file(archive_.path().string());
    }

    /// All bytes of a tensor of tensors(). Allocates tensor.bytes before a block is read, and a hostile index may say
    /// 16 MiB for every 11 bytes of itself: of a stranger's file, compare with what you are ready to spend, or use
    /// read_range().
    /// Throws: errc::corrupt, errc::truncated, errc::unsupported; errc::missing when they are stored in
    /// another container that is not there; errc::io; std::bad_alloc.
    byte_buffer read(const tensor_entry& tensor) const {
        parallel::serial_executor here;
        return read(tensor, here);
    }
    byte_buffer read(std::string_view name) const { return read(at(name)); }

    /// The same, blocks decoded at once.
    template <parallel::executor E>
    byte_buffer read(const tensor_entry& tensor, E& e) const {
        byte_buffer bytes(static_cast<std::size_t>(tensor.bytes));
        read_range(tensor, 0, bytes, e);
        return bytes;
    }

    /// Fills `to` with the bytes of a tensor from its byte `offset` on; decodes the blocks that it touches
    /// only. Throws: errc::invalid_argument when the tensor ends before that; as read().
    template <parallel::executor E>
    void read_range(const tensor_entry& tensor, std::uint64_t offset, bytes_span to, E& e) const {
        if (offset > tensor.bytes || to.size() > tensor.bytes - offset)
            throw error(errc::invalid_argument, "the tensor has only " + std::to_string(tensor.bytes) + " bytes")
                .in_tensor(io::printable(tensor.name))
                .in_file(archive_.path().string());
        if (to.empty()) return;
        const io::content_entry& content = content_of(tensor);
        if (content.is_slice()) return read_slice(tensor, content, offset, to);
        if (content.is_unchanged()) return read_unchanged(tensor, content, offset, to);
        const std::uint64_t first = offset / content.block_bytes;
        const std::uint64_t last = (offset + to.size() - 1) / content.block_bytes;
        const opened_container& container = archive_.containers()[tensor.container];
        try {
            const io::container_reader& home = container.home_of(content);
            const std::vector<std::uint64_t> offsets =
                content.home == 0 ? std::vector<std::uint64_t>() : io::block_offsets(content);
            e.for_each(static_cast<std::size_t>(last - first + 1), [&](std::size_t i) {
                const auto block = static_cast<std::size_t>(first) + i;
                const std::uint64_t place = content.home == 0 ? home.block_offset(content, block) : offsets[block];
                read_part(container, content, block, place, offset, to);
            });
        } catch (error& failure) {
            failure.in_tensor(io::printable(tensor.name));
            throw;
        }
    }
    void read_range(const tensor_entry& tensor, std::uint64_t offset, bytes_span to) const {
        parallel::serial_executor here;
        read_range(tensor, offset, to, here);
    }

    /// Raw bytes of each block of a tensor but the last, which may be shorter: ranges aligned to it cost
    /// least.
    std::uint64_t block_bytes(const tensor_entry& tensor) const {
        const io::content_entry& content = content_of(tensor);
        if (content.is_unchanged()) return detail::unchanged_piece_bytes;
        return content.is_slice() ? content.raw_bytes : content.block_bytes;
    }

private:
    struct memory_of_worker {
        detail::decode_memory decode;
        byte_buffer raw;
    };

    const io::content_entry& content_of(const tensor_entry& tensor) const {
        return archive_.containers().at(tensor.container).index().contents.at(tensor.content);
    }

    void list_tensors(std::size_t container, const io::member_entry& member) {
        if (member.kind != io::member_kind::safetensors) return;
        const opened_container& opened = archive_.containers()[container];
        io::safetensors_layout layout = io::parse_safetensors_header(member.header, member.raw_bytes);
        std::size_t next = 0;
        for (const io::extent_entry& extent : member.extents) {
            if (extent.kind != io::extent_kind::tensor) continue;
            io::tensor_record& record = layout.tensors[next++];
            const io::content_entry& content = opened.index().contents[extent.content];
            tensors_.push_back({std::move(record.name), std::move(record.dtype_name), std::move(record.shape),
                                content.raw_bytes, opened.folder + member.path, content.md5, container,
                                extent.content});
        }
    }

    void read_slice(const tensor_entry& tensor, const io::content_entry& slice, std::uint64_t offset,
                    bytes_span to) const {
        const auto memory = memories_.borrow();
        try {
            bundles_.read(archive_.containers()[tensor.container], slice, offset, to, codec_, memory->decode);
        } catch (error& failure) {
            failure.in_tensor(io::printable(tensor.name));
            throw;
        }
    }

    void read_unchanged(const tensor_entry& tensor, const io::content_entry& content, std::uint64_t offset,
                        bytes_span to) const {
        try {
            detail::read_base(archive_.containers()[tensor.container], content, offset, to);
        } catch (error& failure) {
            failure.in_tensor(io::printable(tensor.name));
            throw;
        }
    }

    /// Decodes one block and copies what of it lies in the range that `to` is for, which begins at `offset`.
    void read_part(const opened_container& container, const io::content_entry& content, std::size_t block,
                   std::uint64_t place, std::uint64_t offset, bytes_span to) const {
        const std::uint64_t begin = block * content.block_bytes;
        const auto size = static_cast<std::size_t>(io::raw_block_bytes(content, block));
        const auto memory = memories_.borrow();
        if (begin >= offset && begin + size <= offset + to.size()) {
            const bytes_span whole = to.subspan(static_cast<std::size_t>(begin - offset), size);
            detail::decode_block(container, content, block, place, whole, codec_, memory->decode);
            return;
        }
        memory->raw.resize(size);
        detail::decode_block(container, content, block, place, memory->raw, codec_, memory->decode);
        const std::uint64_t from = std::max(begin, offset);
        const std::uint64_t end = std::min(begin + size, offset + to.size());
        std::copy_n(memory->raw.begin() + static_cast<std::ptrdiff_t>(from - begin), end - from,
                    to.begin() + static_cast<std::ptrdiff_t>(from - offset));
    }

    opened_archive archive_;
    codec_ref codec_;
    std::vector<tensor_entry> tensors_;
    std::map<std::string, std::size_t> by_name_;
    mutable parallel::object_pool<memory_of_worker> memories_;
    mutable detail::bundle_cache bundles_;
};

} // namespace bigsmall::archive
