// SPDX-License-Identifier: BSL-1.0
// One adapter per rival: the same two verbs over the same buffers.
#pragma once

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <zlib.h>
#include <zstd.h>

#include <bigsmall/archive/default_codec.hpp>

namespace benchmark {

/// A coder under test. `encode` appends to `out`; `decode` fills `raw` from exactly what encode appended.
class adapter {
public:
    virtual ~adapter() = default;
    virtual std::string name() const = 0;
    virtual void encode(const bigsmall::block_info& type, bigsmall::bytes_view raw, bigsmall::byte_buffer& out) = 0;
    virtual void decode(const bigsmall::block_info& type, bigsmall::bytes_view coded, bigsmall::bytes_span raw) = 0;

protected:
    /// Grows `out` by `size` and returns the new part.
    static bigsmall::bytes_span grow(bigsmall::byte_buffer& out, std::size_t size) {
        out.resize(out.size() + size);
        return bigsmall::bytes_span(out).last(size);
    }
    static void shrink(bigsmall::byte_buffer& out, std::size_t unused) { out.resize(out.size() - unused); }
    static void require(bool good, const char* what) {
        if (!good) throw std::runtime_error(std::string(what) + " failed");
    }
};

class memcpy_adapter : public adapter {
public:
    std::string name() const override { return "memcpy"; }
    void encode(const bigsmall::block_info&, bigsmall::bytes_view raw, bigsmall::byte_buffer& out) override {
        std::memcpy(grow(out, raw.size()).data(), raw.data(), raw.size());
    }
    void decode(const bigsmall::block_info&, bigsmall::bytes_view coded, bigsmall::bytes_span raw) override {
        std::memcpy(raw.data(), coded.data(), raw.size());
    }
};

/// Ours, block by block as in an archive, with one kernel table.
class bigsmall_adapter : public adapter {
public:
    bigsmall_adapter(bigsmall::archive::operating_point point, const bigsmall::kernel::table& kernels)
        : recipe_(bigsmall::archive::recipe_of(point)), memory_(kernels) {}
    std::string name() const override { return std::string(recipe_.name) + " " + std::string(memory_.kernels().name); }

    void encode(const bigsmall::block_info& info, bigsmall::bytes_view raw, bigsmall::byte_buffer& out) override {
        for (std::size_t at = 0; at < raw.size(); at += block_bytes_) {
            const bigsmall::bytes_view block = raw.subspan(at, std::min(block_bytes_, raw.size() - at));
            const std::size_t room = recipe_.codec.bound(block.size());
            const bigsmall::bytes_span place = grow(out, 4 + room);
            bigsmall::block_info here = info;
            here.first_elem = at * 8 / info.type.bits;
            const std::size_t written = recipe_.codec.encode(here, block, place.subspan(4), memory_).bytes;
            bigsmall::store_le<std::uint32_t>(place.data(), static_cast<std::uint32_t>(written));
            shrink(out, room - written);
        }
    }
    void decode(const bigsmall::block_info&, bigsmall::bytes_view coded, bigsmall::bytes_span raw) override {
        while (!raw.empty()) {
            const std::size_t size = bigsmall::load_le<std::uint32_t>(coded.data());
            const bigsmall::bytes_span block = raw.first(std::min(block_bytes_, raw.size()));
            require(recipe_.codec.decode(coded.subspan(4, size), block, memory_) == bigsmall::status::ok,
                    "bigsmall decode");
            coded = coded.subspan(4 + size);
            raw = raw.subspan(block.size());
        }
    }

private:
    bigsmall::archive::packing_recipe recipe_;
    std::size_t block_bytes_ = static_cast<std::size_t>(recipe_.block_bytes);
    bigsmall::scratch memory_;
};

class zstd_adapter : public adapter {
public:
    explicit zstd_adapter(int level) : level_(level) {}
    std::string name() const override { return "zstd -" + std::to_string(level_); }
    void encode(const bigsmall::block_info&, bigsmall::bytes_view raw, bigsmall::byte_buffer& out) override {
        const std::size_t room = ZSTD_compressBound(raw.size());
        const bigsmall::bytes_span place = grow(out, room);
        const std::size_t written =
            ZSTD_compressCCtx(compressor_.get(), place.data(), room, raw.data(), raw.size(), level_);
        require(!ZSTD_isError(written), "zstd");
        shrink(out, room - written);
    }
    void decode(const bigsmall::block_info&, bigsmall::bytes_view coded, bigsmall::bytes_span raw) override {
        require(ZSTD_decompress(raw.data(), raw.size(), coded.data(), coded.size()) == raw.size(), "zstd decode");
    }

private:
    struct free_compressor {
        void operator()(ZSTD_CCtx* c) const { ZSTD_freeCCtx(c); }
    };
    int level_;
    std::unique_ptr<ZSTD_CCtx, free_compressor> compressor_{ZSTD_createCCtx()};
};

/// zstd on rotated byte planes: what a careful user of zstd would do. Its literals are coded by Huff0.
class zstd_planes_adapter : public zstd_adapter {
public:
    using zstd_adapter::zstd_adapter;
    std::string name() const override { return zstd_adapter::name() + " on planes"; }
    void encode(const bigsmall::block_info& type, bigsmall::bytes_view raw, bigsmall::byte_buffer& out) override {
        planes_.assign(raw.begin(), raw.end());
        const std::size_t width = width_of(type), count = raw.size() / width;
        if (width > 1) {
            std::uint8_t* planes[8];
            for (std::size_t p = 0; p < width; ++p)
                planes[p] = planes_.data() + p * count;
            kernels_.split_rotated[bigsmall::kernel::width_index(width)](raw.data(), count, planes);
        }
        zstd_adapter::encode(type, planes_, out);
    }
    void decode(const bigsmall::block_info& type, bigsmall::bytes_view coded, bigsmall::bytes_span raw) override {
        const std::size_t width = width_of(type), count = raw.size() / width;
        if (width == 1) return zstd_adapter::decode(type, coded, raw);
        planes_.resize(raw.size());
        zstd_adapter::decode(type, coded, planes_);
        const std::uint8_t* planes[8];
        for (std::size_t p = 0; p < width; ++p)
            planes[p] = planes_.data() + p * count;
        kernels_.merge_rotated[bigsmall::kernel::width_index(width)](planes, count, raw.data());
    }

private:
    static std::size_t width_of(const bigsmall::block_info& type) {
        return type.type.bits == 16 || type.type.bits == 32 || type.type.bits == 64 ? type.type.bits / 8u : 1;
    }
    const bigsmall::kernel::table& kernels_ = bigsmall::kernel::best();
    bigsmall::byte_buffer planes_;
};

class zlib_adapter : public adapter {
public:
    explicit zlib_adapter(int level) : level_(level) {}
    std::string name() const override { return "zlib -" + std::to_string(level_); }
    void encode(const bigsmall::block_info&, bigsmall::bytes_view raw, bigsmall::byte_buffer& out) override {
        uLongf written = compressBound(raw.size());
        const std::size_t room = written;
        const bigsmall::bytes_span place = grow(out, room);
        require(compress2(place.data(), &written, raw.data(), raw.size(), level_) == Z_OK, "zlib");
        shrink(out, room - written);
    }
    void decode(const bigsmall::block_info&, bigsmall::bytes_view coded, bigsmall::bytes_span raw) override {
        uLongf written = raw.size();
        require(uncompress(raw.data(), &written, coded.data(), coded.size()) == Z_OK && written == raw.size(),
                "zlib decode");
    }

private:
    int level_;
};

} // namespace benchmark
