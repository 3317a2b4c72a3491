"""The networks that papers recover images from together, as references: those of G-VBSM and EDC by dataset.

Read in the recover scripts of shaoshitong/G_VBSM at 1ed80b0 and shaoshitong/EDC at 80116a7, in their order of turns. On
CIFAR and Tiny ImageNet the protocol trains them, on ImageNet-1K they are torchvision's first weights, as there.
"""

from rethinkdc.reference import Reference, parse_reference


def _trained(*models: str) -> tuple[Reference, ...]:
    return tuple(Reference(name="trained", values={"model": parse_reference(model)}) for model in models)


SMALL_TEACHERS = _trained("resnet18-3x3", "convnet", "mobilenet-v2-half", "wide-resnet", "shufflenet-v2-half")
"""G-VBSM's for CIFAR, and both papers' for Tiny ImageNet."""
CIFAR_TEACHERS = (*SMALL_TEACHERS, *_trained("convnet:depth=1", "convnet:depth=2", "convnet:width=32"))
"""EDC's for CIFAR."""
IMAGENET_TEACHERS = tuple(
    parse_reference(f"torchvision/{name}")
    for name in ("resnet18", "mobilenet_v2", "efficientnet_b0", "shufflenet_v2_x0_5")
)
"""G-VBSM's for ImageNet-1K; EDC adds ``torchvision/alexnet``."""
