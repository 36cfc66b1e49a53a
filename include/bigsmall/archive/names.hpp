// SPDX-License-Identifier: BSL-1.0
// What a tensor's name says about its place: which stack of layers, which layer, which job. Naming is a habit
// of the model families, not a standard, so a name we do not know simply has no layer and the role `other`.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bigsmall::archive {

enum class tensor_role : std::uint8_t {
    other,
    embedding,
    lm_head,
    norm,
    router, ///< chooses the experts of a mixture
    attn_qkv,
    attn_out,
    attn_other,
    mlp_gate_up,
    mlp_down,
    mlp_other,
    conv,
};

/// A stable lower-case name, for tables and JSON.
constexpr const char* name_of(tensor_role role) noexcept {
    switch (role) {
    case tensor_role::other: return "other";
    case tensor_role::embedding: return "embedding";
    case tensor_role::lm_head: return "lm_head";
    case tensor_role::norm: return "norm";
    case tensor_role::router: return "router";
    case tensor_role::attn_qkv: return "attn_qkv";
    case tensor_role::attn_out: return "attn_out";
    case tensor_role::attn_other: return "attn_other";
    case tensor_role::mlp_gate_up: return "mlp_gate_up";
    case tensor_role::mlp_down: return "mlp_down";
    case tensor_role::mlp_other: return "mlp_other";
    case tensor_role::conv: return "conv";
    }
    return "other";
}

/// Layers of different stacks are different layers even when they have the same number.
struct tensor_place {
    std::string stack; ///< "" for a model's only one, else for example "encoder", "vision_model.encoder"
    std::optional<std::uint32_t> layer;
    tensor_role role = tensor_role::other;

    bool operator==(const tensor_place&) const = default;
};

namespace detail {

using name_parts = std::vector<std::string_view>;

inline name_parts split_name(std::string_view name) {
    name_parts parts;
    for (std::size_t begin = 0; begin <= name.size();) {
        const std::size_t end = std::min(name.find('.', begin), name.size());
        parts.push_back(name.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

template <class List>
constexpr bool is_one_of(std::string_view word, const List& list) {
    return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

inline std::optional<std::uint32_t> layer_number(std::string_view text) {
    if (text.empty() || text.size() > 6) return std::nullopt;
    std::uint32_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + static_cast<std::uint32_t>(c - '0');
    }
    return value;
}

// Words before a number that make it the number of a layer. The plain ones say nothing about the stack; the
// others tell stacks of one model apart (Flux has transformer_blocks and single_transformer_blocks).
inline constexpr std::array<std::string_view, 6> plain_layer_words{"layers", "layer", "h",
                                                                   "blocks", "block", "transformer_blocks"};
inline constexpr std::array<std::string_view, 7> named_layer_words{
    "single_transformer_blocks", "single_blocks", "double_blocks", "joint_blocks", "resblocks",
    "joint_transformer_blocks",  "encoder_layers"};
// Diffusion U-Nets: the number of a stage when there is no layer inside it.
inline constexpr std::array<std::string_view, 2> stage_words{"down_blocks", "up_blocks"};
// Wrappers in front of a stack that tell nothing apart.
inline constexpr std::array<std::string_view, 14> wrapper_words{
    "model",   "transformer", "base_model", "module",   "backbone", "bert",        "roberta",
    "deberta", "electra",     "distilbert", "gpt_neox", "albert",   "xlm_roberta", "esm"};

inline std::string stack_name(const name_parts& parts, std::size_t count, std::string_view own) {
    std::string stack;
    const auto add = [&](std::string_view part) {
        if (!stack.empty()) stack += '.';
        stack += part;
    };
    for (std::size_t i = 0; i < count; ++i)
        if (!is_one_of(parts[i], wrapper_words)) add(parts[i]);
    if (!own.empty()) add(own);
    return stack;
}

/// The first layer word with a number behind it: T5 counts sublayers inside `block.N`, Swin blocks inside
/// `layers.N`, and in both the outer number is the layer.
/// Returns how many parts the place takes.
inline std::size_t find_layer(const name_parts& parts, tensor_place& place) {
    const auto scan = [&](const auto& words, bool named) -> std::size_t {
        for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
            if (!is_one_of(parts[i], words)) continue;
            place.layer = layer_number(parts[i + 1]);
            if (!place.layer) continue;
            place.stack = stack_name(parts, i, named ? parts[i] : std::string_view());
            return i + 2;
        }
        return 0;
    };
    if (const std::size_t taken = scan(plain_layer_words, false)) return taken;
    if (const std::size_t taken = scan(named_layer_words, true)) return taken;
    return scan(stage_words, true);
}

inline std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (char& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return lower;
}

/// The parts of a name in lower case, and questions about them.
class role_words {
public:
    explicit role_words(const name_parts& parts) {
        for (const std::string_view part : parts)
            words_.push_back(lower_case(part));
    }

    template <class... W>
    bool any(W... words) const {
        return std::any_of(words_.begin(), words_.end(),
                           [&](const std::string& w) { return ((w == std::string_view(words)) || ...); });
    }
    template <class... W>
    bool contains(W... pieces) const {
        return std::any_of(words_.begin(), words_.end(), [&](const std::string& w) {
            return ((w.find(std::string_view(pieces)) != std::string::npos) || ...);
        });
    }
    /// `first` directly followed by `second`.
    bool pair(std::string_view first, std::string_view second) const {
        for (std::size_t i = 1; i < words_.size(); ++i)
            if (words_[i - 1] == first && words_[i] == second) return true;
        return false;
    }
    std::size_t size() const noexcept { return words_.size(); }

private:
    std::vector<std::string> words_;
};

inline bool is_norm(const role_words& name) {
    return name.contains("norm", "layernorm") ||
           name.any("ln", "ln_1", "ln_2", "ln_f", "ln_3", "ln1", "ln2", "ln_pre", "ln_post", "ln_final", "bn", "bn1",
                    "bn2", "bn3", "rms", "ln_cross_attn", "ln_x", "ln0");
}

inline bool is_router(const role_words& name) {
    return name.contains("router") || name.pair("mlp", "gate") || name.pair("moe", "gate") ||
           name.pair("block_sparse_moe", "gate") || name.pair("feed_forward", "gate") || name.any("gate_inp");
}

inline bool is_embedding(const role_words& name) {
    return name.any("wte", "wpe", "wtt", "shared", "emb") || name.contains("embed", "token_emb");
}

inline bool is_head(const role_words& name) {
    return name.any("lm_head", "embed_out", "proj_out", "classifier", "score", "head", "heads") ||
           (name.any("output") && name.size() <= 3) || (name.pair("predictions", "decoder"));
}

inline tensor_role attention_role(const role_words& name) {
    if (name.any("o_proj", "out_proj", "to_out", "to_add_out", "wo", "c_proj", "o", "dense", "proj", "out", "out_lin",
                 "linear_out", "fc_o"))
        return tensor_role::attn_out;
    if (name.any("q_proj", "k_proj", "v_proj", "qkv", "qkv_proj", "c_attn", "query", "key", "value", "to_q", "to_k",
                 "to_v", "to_qkv", "q", "k", "v", "query_key_value", "in_proj", "in_proj_weight", "in_proj_bias", "wq",
                 "wk", "wv", "wqkv", "add_q_proj", "add_k_proj", "add_v_proj", "q_lin", "k_lin", "v_lin", "linear_q",
                 "linear_k", "linear_v", "query_proj", "key_proj", "value_proj") ||
        name.contains("q_a_proj", "q_b_proj", "kv_a_proj", "kv_b_proj"))
        return tensor_role::attn_qkv;
    return tensor_role::attn_other;
}

inline tensor_role mlp_role(const role_words& name) {
    if (name.any("gate_proj", "up_proj", "gate_up_proj", "w1", "w3", "c_fc", "fc1", "fc_in", "dense_h_to_4h", "wi",
                 "wi_0", "wi_1", "lin1", "linear1", "up", "intermediate", "w12") ||
        name.pair("net", "0"))
        return tensor_role::mlp_gate_up;
    if (name.any("down_proj", "w2", "c_proj", "fc2", "fc_out", "dense_4h_to_h", "wo", "lin2", "linear2", "down") ||
        name.pair("net", "2"))
        return tensor_role::mlp_down;
    return tensor_role::mlp_other;
}

inline tensor_role role_of(const name_parts& parts, bool in_layer) {
    const role_words name(parts);
    if (is_norm(name)) return tensor_role::norm;
    if (is_router(name)) return tensor_role::router;
    const bool in_attention = name.contains("attn", "attention") || name.any("att");
    const bool in_mlp = name.contains("mlp", "ffn", "feed_forward", "feedforward", "expert", "moe", "densereludense") ||
                        name.any("ff", "ff_context");
    if (!in_layer && !in_attention && is_head(name)) return tensor_role::lm_head;
    if (!in_layer && !in_attention && is_embedding(name)) return tensor_role::embedding;
    if (in_attention) return attention_role(name);
    if (in_mlp) return mlp_role(name);
    // Families that name the matrices without saying what they belong to (BERT, OPT, llama.c).
    if (const tensor_role role = mlp_role(name); role != tensor_role::mlp_other && !name.any("wo", "c_proj"))
        return role;
    if (name.any("q_proj", "k_proj", "v_proj", "wq", "wk", "wv")) return tensor_role::attn_qkv;
    if (in_layer && name.pair("output", "dense")) return tensor_role::mlp_down;
    return name.contains("conv") ? tensor_role::conv : tensor_role::other;
}

} // namespace detail

/// The place of a tensor by its name: the families of Llama, GPT-2, GPT-NeoX, BERT, T5, ViT, CLIP, Whisper,
/// mixtures of experts, diffusion transformers and U-Nets.
inline tensor_place place_of(std::string_view name) {
    const detail::name_parts parts = detail::split_name(name);
    tensor_place place;
    const auto taken = static_cast<std::ptrdiff_t>(detail::find_layer(parts, place));
    // What is left of the name says the role: "attentions" in front of a layer is no attention.
    place.role = detail::role_of({parts.begin() + taken, parts.end()}, place.layer.has_value());
    return place;
}

} // namespace bigsmall::archive
