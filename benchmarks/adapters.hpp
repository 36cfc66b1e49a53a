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

/// A coder under test. `encode` writes to `out`, which has room for bound() bytes, and returns the size; `decode` fills
/// `raw` from exactly that.
class adapter {
public:
    virtual ~adapter() = default;
    virtual std::string name() const = 0;
    /// Ours: an operating point with a kernel table. The chart sets these apart from their rivals.
    virtual bool is_ours() const { return false; }
    virtual std::size_t bound(std::size_t raw_bytes) const = 0;
    virtual std::size_t encode(const bigsmall::block_info& info, bigsmall::bytes_view raw,
                               bigsmall::bytes_span out) = 0;
    virtual void decode(const bigsmall::block_info& info, bigsmall::bytes_view coded, bigsmall::bytes_span raw) = 0;

protected:
    static void require(bool good, const char* what) {
        if (!good) throw std::runtime_error(std::string(what) + " failed");
    }
};

class memcpy_adapter : public adapter {
public:
    std::string name() const override { return "memcpy"; }
    std::size_t bound(std::size_t raw_bytes) const override { return raw_bytes; }
    std::size_t encode(const bigsmall::block_info&, bigsmall::bytes_view raw, bigsmall::bytes_span out) override {
        std::memcpy(out.data(), raw.data(), raw.size());
        return raw.size();
    }
    void decode(const bigsmall::block_info&, bigsmall::bytes_view coded, bigsmall::bytes_span raw) override {
        std::memcpy(raw.data(), coded.data(), raw.size());
    }
};

/// Ours, block by block as in an archive, with one kernel table. Output larger than the caches is written past them, as
/// memcpy does.
class bigsmall_adapter : public adapter {
public:
    bigsmall_adapter(bigsmall::archive::operating_point point, const bigsmall::kernel::table& kernels)
        : recipe_(bigsmall::archive::recipe_of(point)),
          cached_(kernels),
          streaming_(bigsmall::kernel::streaming(kernels)) {}
    std::string name() const override { return std::string(recipe_.name) + " " + std::string(cached_.kernels().name); }
    bool is_ours() const override { return true; }
    std::size_t bound(std::size_t raw_bytes) const override {
        return (raw_bytes / block_bytes_ + 1) * (size_bytes + recipe_.codec.bound(0)) + raw_bytes;
    }
    std::size_t encode(const bigsmall::block_info& info, bigsmall::bytes_view raw, bigsmall::bytes_span out) override {
        std::size_t written = 0;
        for (std::size_t at = 0; at < raw.size(); at += block_bytes_) {
            const bigsmall::bytes_view block = raw.subspan(at, std::min(block_bytes_, raw.size() - at));
            bigsmall::block_info here = info;
            here.first_elem = at * 8 / info.type.bits;
            const bigsmall::bytes_span room = out.subspan(written + size_bytes, recipe_.codec.bound(block.size()));
            const std::size_t size = recipe_.codec.encode(here, block, room, cached_).bytes;
            bigsmall::store_le<std::uint32_t>(out.data() + written, static_cast<std::uint32_t>(size));
            written += size_bytes + size;
        }
        return written;
    }
    void decode(const bigsmall::block_info&, bigsmall::bytes_view coded, bigsmall::bytes_span raw) override {
        bigsmall::scratch& memory = raw.size() > larger_than_caches ? streaming_ : cached_;
        while (!raw.empty()) {
            const std::size_t size = bigsmall::load_le<std::uint32_t>(coded.data());
            const bigsmall::bytes_span block = raw.first(std::min(block_bytes_, raw.size()));
            const bigsmall::bytes_view now = coded.subspan(size_bytes, size);
            coded = coded.subspan(size_bytes + size);
            memory.ahead().then(coded.first(std::min(coded.size(), block_bytes_)));
            require(recipe_.codec.decode(now, block, memory) == bigsmall::status::ok, "bigsmall decode");
            raw = raw.subspan(block.size());
        }
    }

private:
    static constexpr std::size_t size_bytes = 4, larger_than_caches = 32 * bigsmall::MiB;
    bigsmall::archive::packing_recipe recipe_;
    std::size_t block_bytes_ = static_cast<std::size_t>(recipe_.block_bytes);
    bigsmall::scratch cached_, streaming_;
};

class zstd_adapter : public adapter {
public:
    explicit zstd_adapter(int level) : level_(level) {}
    std::string name() const override { return "zstd -" + std::to_string(level_); }
    std::size_t bound(std::size_t raw_bytes) const override { return ZSTD_compressBound(raw_bytes); }
    std::size_t encode(const bigsmall::block_info&, bigsmall::bytes_view raw, bigsmall::bytes_span out) override {
        const std::size_t written =
            ZSTD_compressCCtx(compressor_.get(), out.data(), out.size(), raw.data(), raw.size(), level_);
        require(!ZSTD_isError(written), "zstd");
        return written;
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
    std::size_t encode(const bigsmall::block_info& info, bigsmall::bytes_view raw, bigsmall::bytes_span out) override {
        const std::size_t width = width_of(info), count = raw.size() / width;
        if (width == 1) return zstd_adapter::encode(info, raw, out);
        planes_.resize(raw.size());
        std::uint8_t* planes[8];
        for (std::size_t p = 0; p < width; ++p)
            planes[p] = planes_.data() + p * count;
        kernels_.split_rotated[bigsmall::kernel::width_index(width)](raw.data(), count, planes);
        return zstd_adapter::encode(info, planes_, out);
    }
    void decode(const bigsmall::block_info& info, bigsmall::bytes_view coded, bigsmall::bytes_span raw) override {
        const std::size_t width = width_of(info), count = raw.size() / width;
        if (width == 1) return zstd_adapter::decode(info, coded, raw);
        planes_.resize(raw.size());
        zstd_adapter::decode(info, coded, planes_);
        const std::uint8_t* planes[8];
        for (std::size_t p = 0; p < width; ++p)
            planes[p] = planes_.data() + p * count;
        kernels_.merge_rotated[bigsmall::kernel::width_index(width)](planes, count, raw.data());
    }

private:
    static std::size_t width_of(const bigsmall::block_info& info) {
        return info.type.bits == 16 || info.type.bits == 32 || info.type.bits == 64 ? info.type.bits / 8u : 1;
    }
    const bigsmall::kernel::table& kernels_ = bigsmall::kernel::best();
    bigsmall::byte_buffer planes_;
};

class zlib_adapter : public adapter {
public:
    explicit zlib_adapter(int level) : level_(level) {}
    std::string name() const override { return "zlib -" + std::to_string(level_); }
    std::size_t bound(std::size_t raw_bytes) const override { return compressBound(raw_bytes); }
    std::size_t encode(const bigsmall::block_info&, bigsmall::bytes_view raw, bigsmall::bytes_span out) override {
        uLongf written = out.size();
        require(compress2(out.data(), &written, raw.data(), raw.size(), level_) == Z_OK, "zlib");
        return written;
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
