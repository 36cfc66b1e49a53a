// SPDX-License-Identifier: BSL-1.0
// The receipts: MD5 per tensor, SHA-256 per file. Costs: OpenSSL (link -lcrypto), which does the work.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>

#include <openssl/evp.h>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/container/index.hpp>

namespace bigsmall::archive {

using io::md5_digest;
using io::sha256_digest;

/// The two algorithms, looked up once: a lookup costs more than hashing a small tensor.
class hash_methods {
public:
    /// Throws: errc::unsupported when the local OpenSSL refuses one of them (MD5 in FIPS mode).
    hash_methods() : md5_(fetch("MD5")), sha256_(fetch("SHA256")) {}

    const EVP_MD* md5() const noexcept { return md5_.get(); }
    const EVP_MD* sha256() const noexcept { return sha256_.get(); }

private:
    struct release {
        void operator()(EVP_MD* method) const noexcept { EVP_MD_free(method); }
    };
    using method = std::unique_ptr<EVP_MD, release>;

    static method fetch(const char* name) {
        method found(EVP_MD_fetch(nullptr, name, nullptr));
        if (!found) throw error(errc::unsupported, std::string("OpenSSL on this machine does not provide ") + name);
        return found;
    }

    method md5_, sha256_;
};

/// A running hash. One object hashes any number of messages, one after another.
template <std::size_t Bytes>
class hasher {
public:
    using digest = std::array<std::uint8_t, Bytes>;

    hasher() : context_(EVP_MD_CTX_new()) {
        if (!context_) throw std::bad_alloc();
    }

    /// Begins a message and forgets an unfinished one.
    void start(const EVP_MD* method) {
        require(EVP_MD_get_size(method) == static_cast<int>(Bytes) &&
                EVP_DigestInit_ex2(context_.get(), method, nullptr) == 1);
    }

    void update(bytes_view bytes) {
        if (!bytes.empty()) require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
    }

    digest finish() {
        digest out{};
        require(EVP_DigestFinal_ex(context_.get(), out.data(), nullptr) == 1);
        return out;
    }

private:
    struct release {
        void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
    };

    static void require(bool done) {
        if (!done) throw error(errc::unsupported, "OpenSSL failed to hash");
    }

    std::unique_ptr<EVP_MD_CTX, release> context_;
};

using md5_hasher = hasher<16>;
using sha256_hasher = hasher<32>;

/// Lower-case hexadecimal digits, as md5sum and sha256sum print them.
inline std::string hex_of(bytes_view bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const std::uint8_t byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15u];
    }
    return text;
}

} // namespace bigsmall::archive
