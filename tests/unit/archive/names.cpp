// SPDX-License-Identifier: BSL-1.0
// Layer, stack and role by tensor name: one table over the naming families.
#include <optional>
#include <string>

#include <bigsmall/archive/names.hpp>

#include "support/catch.hpp"

using namespace bigsmall::archive;

namespace {

constexpr int none = -1;

struct expectation {
    const char* name;
    const char* stack;
    int layer;
    const char* role;
};

const expectation table[] = {
    // Llama, Mistral, Qwen
    {"model.embed_tokens.weight", "", none, "embedding"},
    {"model.layers.0.self_attn.q_proj.weight", "", 0, "attn_qkv"},
    {"model.layers.31.self_attn.q_proj.bias", "", 31, "attn_qkv"},
    {"model.layers.7.self_attn.o_proj.weight", "", 7, "attn_out"},
    {"model.layers.7.self_attn.q_norm.weight", "", 7, "norm"},
    {"model.layers.7.self_attn.rotary_emb.inv_freq", "", 7, "attn_other"},
    {"model.layers.7.mlp.gate_proj.weight", "", 7, "mlp_gate_up"},
    {"model.layers.7.mlp.up_proj.weight", "", 7, "mlp_gate_up"},
    {"model.layers.7.mlp.down_proj.weight", "", 7, "mlp_down"},
    {"model.layers.7.input_layernorm.weight", "", 7, "norm"},
    {"model.norm.weight", "", none, "norm"},
    {"lm_head.weight", "", none, "lm_head"},
    // Phi-3
    {"model.layers.2.self_attn.qkv_proj.weight", "", 2, "attn_qkv"},
    {"model.layers.2.mlp.gate_up_proj.weight", "", 2, "mlp_gate_up"},
    // Mixtures of experts: Mixtral, Qwen-MoE, DeepSeek
    {"model.layers.3.block_sparse_moe.gate.weight", "", 3, "router"},
    {"model.layers.3.block_sparse_moe.experts.5.w1.weight", "", 3, "mlp_gate_up"},
    {"model.layers.3.block_sparse_moe.experts.5.w2.weight", "", 3, "mlp_down"},
    {"model.layers.3.mlp.gate.weight", "", 3, "router"},
    {"model.layers.3.mlp.experts.17.down_proj.weight", "", 3, "mlp_down"},
    {"model.layers.3.mlp.shared_experts.up_proj.weight", "", 3, "mlp_gate_up"},
    {"model.layers.3.self_attn.kv_a_proj_with_mqa.weight", "", 3, "attn_qkv"},
    // GPT-2
    {"wte.weight", "", none, "embedding"},
    {"transformer.wpe.weight", "", none, "embedding"},
    {"h.0.attn.c_attn.weight", "", 0, "attn_qkv"},
    {"transformer.h.11.attn.c_proj.weight", "", 11, "attn_out"},
    {"transformer.h.11.attn.bias", "", 11, "attn_other"},
    {"transformer.h.11.mlp.c_fc.weight", "", 11, "mlp_gate_up"},
    {"transformer.h.11.mlp.c_proj.weight", "", 11, "mlp_down"},
    {"transformer.h.11.ln_1.weight", "", 11, "norm"},
    {"transformer.ln_f.weight", "", none, "norm"},
    // GPT-NeoX, Falcon, BLOOM
    {"gpt_neox.layers.4.attention.query_key_value.weight", "", 4, "attn_qkv"},
    {"gpt_neox.layers.4.attention.dense.weight", "", 4, "attn_out"},
    {"gpt_neox.layers.4.mlp.dense_h_to_4h.weight", "", 4, "mlp_gate_up"},
    {"gpt_neox.layers.4.mlp.dense_4h_to_h.weight", "", 4, "mlp_down"},
    {"embed_out.weight", "", none, "lm_head"},
    {"transformer.h.4.self_attention.dense.weight", "", 4, "attn_out"},
    {"transformer.word_embeddings.weight", "", none, "embedding"},
    // MPT
    {"transformer.blocks.9.attn.Wqkv.weight", "", 9, "attn_qkv"},
    {"transformer.blocks.9.ffn.up_proj.weight", "", 9, "mlp_gate_up"},
    // Llama as Meta and llama2.c name it
    {"tok_embeddings.weight", "", none, "embedding"},
    {"layers.6.attention.wq.weight", "", 6, "attn_qkv"},
    {"layers.6.attention.wo.weight", "", 6, "attn_out"},
    {"layers.6.feed_forward.w1.weight", "", 6, "mlp_gate_up"},
    {"layers.6.feed_forward.w2.weight", "", 6, "mlp_down"},
    {"layers.6.ffn_norm.weight", "", 6, "norm"},
    {"output.weight", "", none, "lm_head"},
    // BERT
    {"bert.embeddings.word_embeddings.weight", "", none, "embedding"},
    {"bert.embeddings.LayerNorm.weight", "", none, "norm"},
    {"bert.encoder.layer.11.attention.self.query.weight", "encoder", 11, "attn_qkv"},
    {"bert.encoder.layer.11.attention.output.dense.weight", "encoder", 11, "attn_out"},
    {"bert.encoder.layer.11.intermediate.dense.weight", "encoder", 11, "mlp_gate_up"},
    {"bert.encoder.layer.11.output.dense.weight", "encoder", 11, "mlp_down"},
    {"encoder.layer.11.output.LayerNorm.weight", "encoder", 11, "norm"},
    {"cls.predictions.decoder.weight", "", none, "lm_head"},
    {"distilbert.transformer.layer.5.attention.q_lin.weight", "", 5, "attn_qkv"},
    {"distilbert.transformer.layer.5.ffn.lin2.weight", "", 5, "mlp_down"},
    // T5: sublayers are not layers, encoder and decoder are two stacks
    {"shared.weight", "", none, "embedding"},
    {"encoder.block.3.layer.0.SelfAttention.q.weight", "encoder", 3, "attn_qkv"},
    {"decoder.block.3.layer.1.EncDecAttention.o.weight", "decoder", 3, "attn_out"},
    {"encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", "encoder", 0, "attn_other"},
    {"decoder.block.3.layer.2.DenseReluDense.wi_0.weight", "decoder", 3, "mlp_gate_up"},
    {"decoder.block.3.layer.2.DenseReluDense.wo.weight", "decoder", 3, "mlp_down"},
    {"encoder.final_layer_norm.weight", "", none, "norm"},
    // BART, Whisper, OPT
    {"model.encoder.layers.2.self_attn.out_proj.weight", "encoder", 2, "attn_out"},
    {"model.decoder.layers.2.encoder_attn.k_proj.weight", "decoder", 2, "attn_qkv"},
    {"model.decoder.layers.2.fc1.weight", "decoder", 2, "mlp_gate_up"},
    {"model.decoder.layers.2.fc2.weight", "decoder", 2, "mlp_down"},
    {"model.encoder.conv1.weight", "", none, "conv"},
    // ViT, CLIP, SigLIP, vision-language models
    {"blocks.8.attn.qkv.weight", "", 8, "attn_qkv"},
    {"blocks.8.attn.proj.weight", "", 8, "attn_out"},
    {"blocks.8.mlp.fc2.bias", "", 8, "mlp_down"},
    {"vision_model.encoder.layers.1.mlp.fc1.weight", "vision_model.encoder", 1, "mlp_gate_up"},
    {"text_model.encoder.layers.1.self_attn.v_proj.weight", "text_model.encoder", 1, "attn_qkv"},
    {"language_model.model.layers.1.mlp.down_proj.weight", "language_model", 1, "mlp_down"},
    {"visual.transformer.resblocks.4.attn.in_proj_weight", "visual.resblocks", 4, "attn_qkv"},
    // Diffusion: Flux keeps two lists of blocks apart, a U-Net numbers inside each stage
    {"transformer_blocks.5.attn.to_q.weight", "", 5, "attn_qkv"},
    {"transformer_blocks.5.attn.to_out.0.weight", "", 5, "attn_out"},
    {"transformer_blocks.5.ff.net.0.proj.weight", "", 5, "mlp_gate_up"},
    {"transformer_blocks.5.ff.net.2.weight", "", 5, "mlp_down"},
    {"single_transformer_blocks.5.attn.to_k.weight", "single_transformer_blocks", 5, "attn_qkv"},
    {"double_blocks.1.img_attn.qkv.weight", "double_blocks", 1, "attn_qkv"},
    {"down_blocks.1.attentions.0.transformer_blocks.2.attn1.to_v.weight", "down_blocks.1.attentions.0", 2, "attn_qkv"},
    {"mid_block.attentions.0.transformer_blocks.0.ff.net.2.bias", "mid_block.attentions.0", 0, "mlp_down"},
    {"up_blocks.3.resnets.1.conv1.weight", "up_blocks", 3, "conv"},
    // Nothing known
    {"conv1.weight", "", none, "conv"},
    {"features.3.weight", "", none, "other"},
    {"layers.x.weight", "", none, "other"},
    {"layers", "", none, "other"},
    {"layers.99999999999.weight", "", none, "other"},
    {"", "", none, "other"},
    {"....", "", none, "other"},
};

} // namespace

TEST_CASE("place_of knows the naming families", "[archive]") {
    for (const expectation& want : table) {
        INFO(want.name);
        const tensor_place place = place_of(want.name);
        CHECK(place.stack == want.stack);
        CHECK((place.layer ? static_cast<int>(*place.layer) : none) == want.layer);
        CHECK(std::string(name_of(place.role)) == want.role);
    }
}
