"""What compressors share that match trajectories (MTT, arXiv 2203.11932; FTD, 2211.11004; DATM, 2310.05773).

Specified after GeorgeCazenavette/mtt-distillation at 50dccea, AngusDujw/FTD-distillation at 711532a and
NUS-HPC-AI-Lab/DATM at 97ae510. Experts are trained once and kept epoch by epoch; all of these methods share them.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.context import Context
from rethinkdc.distillation.parts import assemble_set, make_part
from rethinkdc.distillation.trajectories import Matching
from rethinkdc.distillation.trajectory_parameters import TrajectoryParameters
from rethinkdc.models import Model
from rethinkdc.protocol.protocol import FullTraining, Network
from rethinkdc.training.recipe import Optimizer, Recipe, Schedule
from rethinkdc.types import Budget, Images
from rethinkdc.views import Dsa


class TrajectoryMatching(TrajectoryParameters, ABC):
    """Base of compressors that move images until a student's steps on them lead where an expert's epochs lead."""

    # -- what a subclass may say otherwise, beside where a student begins ------------------------------------------

    def expert_optimizer(self, values: Mapping[str, Any]) -> Optimizer:  # noqa: ARG002 - flat trajectories heed them
        """Of the experts: plain SGD."""
        return Optimizer(name="sgd", lr=self.expert_lr, momentum=0.0, weight_decay=0.0)

    def begin(self, matching: Matching) -> dict[str, Tensor]:
        """What is learned, as it begins: ``images``, and ``labels`` [M, C] where they are learned too."""
        return {"images": matching.real_start()}

    # -- the same for all ------------------------------------------------------------------------------------------

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        settings = self.resolved(budget.size, budget.classes, budget.ipc)
        values = {key: setting.value for key, setting in settings.items()}
        self._require_values(values, budget)
        recipe = self._recipe(context.protocol.proxy_recipe(), values)
        model = context.method(Model, values["network"])
        experts = [
            # Of the axis of teachers: sets of several seeds match the same experts, as the papers' do.
            context.train(
                recipe,
                "expert",
                index,
                model=model,
                axis="teacher",
                stage="experts",
                keep_epochs=range(self.epochs + 1),
                whitened=self.zca,
            )
            for index in range(self.experts)
        ]
        matching = Matching(self, values, data, budget, context, experts)

        def make(index: int) -> dict[str, Tensor]:
            # A student trains on all images: the set is one part, with states of its own.
            assert index == 0
            images, labels, rate = matching.run(lambda: self.begin(matching))
            mean, std = recipe.mean, recipe.std
            if matching.whitening is not None:
                images, mean, std = matching.whitening.undo(images), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
            return make_part(images, matching.targets.cpu(), mean, std, soft_targets=labels, student_lr=rate)

        return assemble_set(context.parts(1, make), data.class_names)

    def _recipe(self, proxy: Network, values: Mapping[str, Any]) -> FullTraining:
        views = (Dsa(strategies=self.strategies, mean=proxy.mean, std=proxy.std),) if self.strategies else ()
        training = Recipe(
            epochs=self.epochs,
            batch=self.expert_batch,
            optimizer=self.expert_optimizer(values),
            schedule=Schedule(name="constant"),
            views=views,
        )
        return FullTraining(model=values["network"], mean=proxy.mean, std=proxy.std, training=training)
