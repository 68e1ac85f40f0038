"""The reference networks, in any size, and questions to them."""

from __future__ import annotations

from types import MethodType, ModuleType
from typing import Any

import torch
from torch import nn

from napari_sam.model.sam import TinyViTSize, ViTSize


def build_reference(
    modeling: ModuleType, size: ViTSize | TinyViTSize, image_size: int, hq: bool = False
) -> Any:
    """Build a `Sam` of the module `modeling` of `segment_anything` or `segment_anything_hq`."""
    if isinstance(size, ViTSize):
        encoder, early_dim = build_vit(modeling, size, image_size), size.embed_dim
    else:
        encoder, early_dim = build_tiny_vit(modeling, size, image_size), size.embed_dims[2]
    grid_size = image_size // 16
    decoder = modeling.MaskDecoderHQ if hq else modeling.MaskDecoder
    return modeling.Sam(
        image_encoder=encoder,
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=256,
            image_embedding_size=(grid_size, grid_size),
            input_image_size=(image_size, image_size),
            mask_in_chans=16,
        ),
        mask_decoder=decoder(
            num_multimask_outputs=3,
            transformer=modeling.TwoWayTransformer(
                depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8
            ),
            transformer_dim=256,
            iou_head_depth=3,
            iou_head_hidden_dim=256,
            **({"vit_dim": early_dim} if hq else {}),
        ),
    ).eval()


def build_vit(modeling: ModuleType, size: ViTSize, image_size: int) -> Any:
    return modeling.ImageEncoderViT(
        img_size=image_size,
        embed_dim=size.embed_dim,
        depth=size.depth,
        num_heads=size.num_heads,
        global_attn_indexes=size.global_blocks,
        norm_layer=lambda dim: nn.LayerNorm(dim, eps=1e-6),
        use_rel_pos=True,
        window_size=14,
    )


def build_tiny_vit(modeling: ModuleType, size: TinyViTSize, image_size: int) -> Any:
    encoder = modeling.TinyViT(
        img_size=image_size,
        embed_dims=list(size.embed_dims),
        depths=list(size.depths),
        num_heads=list(size.num_heads),
        window_sizes=list(size.window_sizes),
        drop_path_rate=0.0,
    )
    if image_size != 1024:
        encoder.forward = MethodType(forward_on_any_grid, encoder)
    return encoder


def forward_on_any_grid(encoder: Any, images: torch.Tensor) -> tuple[torch.Tensor, list[Any]]:
    """As the forward of the reference's TinyViT, where 64 cells a side are written in numbers."""
    grid_size = encoder.img_size // 16
    first, second, *others = encoder.layers
    x = second(first(encoder.patch_embed(images)))
    early = x.unflatten(1, (grid_size, grid_size))
    for stage in others:
        x = stage(x)
    return encoder.neck(x.unflatten(1, (grid_size, grid_size)).permute(0, 3, 1, 2)), [early]


def encode(model: Any, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Embedding of normalized images, and the early features if the package has them."""
    encoded = model.image_encoder(images)
    return (encoded, []) if isinstance(encoded, torch.Tensor) else encoded


def decode(
    model: Any,
    embedding: torch.Tensor,
    early: list[torch.Tensor],
    prompt: dict[str, torch.Tensor],
    multimask: bool,
) -> dict[str, torch.Tensor]:
    """Low-resolution logits and predicted IoU; of an HQ decoder also its single answer."""
    points = (prompt["points"], prompt["labels"]) if "points" in prompt else None
    sparse, dense = model.prompt_encoder(points, prompt.get("box"), prompt.get("mask"))
    inputs = {
        "image_embeddings": embedding,
        "image_pe": model.prompt_encoder.get_dense_pe(),
        "sparse_prompt_embeddings": sparse,
        "dense_prompt_embeddings": dense,
    }
    decoder = model.mask_decoder
    # segment_anything_hq gives these to its plain decoder too, which ignores them
    of_hq = {"hq_token_only": False, "interm_embeddings": early} if early else {}
    answer = decoder(**inputs, multimask_output=multimask, **of_hq)
    if not (multimask and hasattr(decoder, "hf_token")):
        return dict(zip(("logits", "predicted IoU"), answer, strict=True))
    fine = decoder.embedding_encoder(embedding)
    fine = fine + decoder.compress_vit_feat(early[0].permute(0, 3, 1, 2))
    masks, predicted_iou = decoder.predict_masks(**inputs, hq_features=fine)
    return {
        "logits": masks[:, 1:4] + masks[:, 4:],
        "predicted IoU": predicted_iou[:, 1:],
        "best logits": answer[0],
        "best predicted IoU": answer[1],
    }
