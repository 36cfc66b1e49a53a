// SPDX-License-Identifier: BSL-1.0
// Reusable objects for calls that run at once: as many are made as were ever needed together, never more.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace bigsmall::parallel {

/// Lends default-constructed objects that are costly to make, such as a codec's buffers. Thread-safe.
template <class T>
class object_pool {
public:
    /// An object on loan; it goes back when the loan ends.
    class loan {
    public:
        loan(object_pool& pool, std::unique_ptr<T> object) : pool_(&pool), object_(std::move(object)) {}
        loan(loan&&) noexcept = default;
        loan& operator=(loan&&) = delete;
        ~loan() {
            if (object_) pool_->give_back(std::move(object_));
        }
        T& operator*() const noexcept { return *object_; }
        T* operator->() const noexcept { return object_.get(); }

    private:
        object_pool* pool_;
        std::unique_ptr<T> object_;
    };

    /// An object in the state in which its last user left it.
    loan borrow() {
        {
            const std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                std::unique_ptr<T> object = std::move(idle_.back());
                idle_.pop_back();
                return loan(*this, std::move(object));
            }
            // The room is made here so that giving back, which a destructor does, cannot fail.
            idle_.reserve(++made_);
        }
        return loan(*this, std::make_unique<T>());
    }

private:
    void give_back(std::unique_ptr<T> object) noexcept {
        const std::lock_guard lock(mutex_);
        idle_.push_back(std::move(object));
    }

    std::mutex mutex_;
    std::vector<std::unique_ptr<T>> idle_;
    std::size_t made_ = 0;
};

} // namespace bigsmall::parallel
