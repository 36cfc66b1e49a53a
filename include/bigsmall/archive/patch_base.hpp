// SPDX-License-Identifier: BSL-1.0
// The base of a patch: which tensors of a model its contents differ from, and whether they are those that it was made
// against.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/archive/base_bytes.hpp>
#include <bigsmall/archive/hash.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/read_image.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/printable.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

namespace detail {

class patch_base final : public base_bytes {
public:
    /// Finds the tensors by name and size, whichever files of the model they lie in. Throws: errc::mismatch when one is
    /// not there.
    patch_base(const opened_container& patch, std::shared_ptr<const model_reader> model)
        : path_(patch.path.string()), reader_(patch.reader), model_(std::move(model)) {
        const std::multimap<std::string_view, std::size_t> by_name = names_of(*model_);
        for (const io::base_tensor& wanted : index().base_tensors)
            tensors_.push_back(find(wanted, by_name));
        images_ = index().images;
        for (io::base_image& image : images_)
            for (io::base_part& part : image.parts)
                if (part.tensor != io::no_base) part.tensor = static_cast<std::uint32_t>(tensors_[part.tensor]);
        image_readers_.reserve(images_.size());
        for (const io::base_image& image : images_)
            image_readers_.emplace_back(*model_, image);
    }

    /// Compares the MD5 of every tensor that the patch uses. Throws: errc::mismatch, naming the first that is another;
    /// as reading the model does; errc::cancelled.
    template <parallel::executor E>
    void check(const run_options& options, E& e) const {
        std::vector<char> equal(tensors_.size(), 1);
        e.for_each(tensors_.size(), [&](std::size_t i) {
            check_cancelled(options);
            equal[i] = is_wanted(tensors_[i], index().base_tensors[i]) ? 1 : 0;
        });
        const auto wrong = std::find(equal.begin(), equal.end(), 0);
        if (wrong == equal.end()) return;
        const io::base_tensor& other = index().base_tensors[static_cast<std::size_t>(wrong - equal.begin())];
        std::string given;
        if (model_->files().size() == 1) given = " (SHA-256 " + hex_of(model_->sha256(0)) + ")";
        throw wrong_base("tensor " + io::in_quotes(other.name) + " is another there", given);
    }

    void read(const io::content_entry& content, std::uint64_t begin, bytes_span to) const override {
        image_readers_[content.image].read(begin, to);
    }

private:
    const io::container_index& index() const noexcept { return reader_->index(); }

    static std::multimap<std::string_view, std::size_t> names_of(const model_reader& model) {
        std::multimap<std::string_view, std::size_t> names;
        for (std::size_t i = 0; i < model.tensors().size(); ++i)
            names.emplace(model.tensors()[i].name, i);
        return names;
    }

    std::size_t find(const io::base_tensor& wanted, const std::multimap<std::string_view, std::size_t>& by_name) const {
        std::vector<std::size_t> found;
        for (auto [at, end] = by_name.equal_range(wanted.name); at != end; ++at)
            if (model_->tensors()[at->second].bytes == wanted.bytes) found.push_back(at->second);
        if (found.empty())
            throw wrong_base("it has no tensor " + io::in_quotes(wanted.name) + " of " + std::to_string(wanted.bytes) +
                             " bytes");
        // Files may have tensors of one name: then the bytes tell.
        for (const std::size_t tensor : found)
            if (found.size() > 1 && is_wanted(tensor, wanted)) return tensor;
        return found.front();
    }

    /// Where the receipts of the patch are damaged, some MD5s are not known: then the file must be the one it was.
    bool is_wanted(std::size_t tensor, const io::base_tensor& wanted) const {
        if (wanted.md5 != md5_digest{}) return model_->md5(tensor) == wanted.md5;
        return model_->sha256(model_->tensors()[tensor].file) == index().base_files[wanted.file].sha256;
    }

    /// Names both: what the patch was made against, and what was given.
    error wrong_base(const std::string& why, const std::string& given = {}) const {
        std::string needed;
        const std::vector<io::base_file>& files = index().base_files;
        for (std::size_t f = 0; f < std::min<std::size_t>(files.size(), 3); ++f)
            needed +=
                (f == 0 ? "" : ", ") + io::printable(files[f].name) + " (SHA-256 " + hex_of(files[f].sha256) + ")";
        if (files.size() > 3) needed += " and " + std::to_string(files.size() - 3) + " more";
        return error(errc::mismatch, "the patch was made against another base than " +
                                         io::printable(model_->path().string()) + given + ": " + why +
                                         "; it needs " + needed)
            .in_file(path_);
    }

    std::string path_;
    std::shared_ptr<const io::container_reader> reader_; // of the patch
    std::shared_ptr<const model_reader> model_;
    std::vector<std::size_t> tensors_;   // of the model, in the order of the patch's base tensors
    std::vector<io::base_image> images_; // with the numbers of the model
    std::vector<image_reader> image_readers_;
};

} // namespace detail

/// Gives `model` to the patches of `archive` as their base and makes sure that it is the one that they were made
/// against: every tensor that they use must have the recorded MD5. It may have other files than it had then.
/// Throws: errc::mismatch when it is another, naming both; errc::invalid_argument when there is no patch; as reading
/// the model does; errc::cancelled.
template <parallel::executor E>
void give_base(opened_archive& archive, const std::shared_ptr<const model_reader>& model, const run_options& options,
               E& e) {
    if (!archive.is_patch())
        throw error(errc::invalid_argument, "this is no patch: it restores its files without a base")
            .in_file(archive.path().string());
    for (std::size_t c = 0; c < archive.containers().size(); ++c) {
        if (!archive.containers()[c].index().is_patch()) continue;
        auto base = std::make_shared<detail::patch_base>(archive.containers()[c], model);
        base->check(options, e);
        archive.set_base(c, std::move(base));
    }
}

/// Throws errc::invalid_argument when the archive is a patch to which nobody has given a base.
inline void require_base(const opened_archive& archive) {
    for (const opened_container& container : archive.containers()) {
        if (!container.index().is_patch() || container.base) continue;
        const io::base_file& file = container.index().base_files.front();
        throw error(errc::invalid_argument, "this is a patch: it restores its files together with the base that it was "
                                            "made against, " +
                                                io::in_quotes(file.name) + " (SHA-256 " + hex_of(file.sha256) + ")")
            .in_file(container.path.string())
            .with_hint("restore it with its base: bigsmall apply BASE PATCH -o OUT");
    }
}

/// An archive with its base, for whoever only reads: a patch whose result is the base of the next one.
template <parallel::executor E>
opened_archive open_with_base(const std::filesystem::path& path, const std::shared_ptr<const model_reader>& base,
                              const run_options& options, E& e) {
    opened_archive opened(path);
    opened.require_whole();
    if (base) give_base(opened, base, options, e);
    require_base(opened);
    return opened;
}

} // namespace bigsmall::archive
