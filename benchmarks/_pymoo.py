"""pymoo's own NSGA-II on the choices of a space, as a peer of the strategies: needs ``pip install pymoo``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from archpredict import SearchSpace

__all__ = ["pymoo_nsga2"]

_IDLE = 50
"""Generations without a new architecture after which a run ends."""


def pymoo_nsga2(
    space: SearchSpace,
    objectives: Callable[[np.ndarray], np.ndarray],
    budget: int,
    *,
    seed: int,
    population: int = 10,
    operators: str = "categorical",
) -> np.ndarray:
    """What pymoo's NSGA-II evaluates, in this order.

    It is pymoo's algorithm as it comes, with pymoo's operators. It eliminates what equals a member of the population
    or another child, as it does by default; what it asks for again later is answered from memory and costs nothing.

    Args:
        space: One in which every vector of choices is legal.
        objectives: From rows of choices ``(B, L)`` to ``(B, m)``, more is better.
        budget: Architectures to evaluate, no two of equal choices.
        seed: Source of all randomness.
        population: Members, and children of a generation; of 6, 10, 14 and 20, 6 and 10 were best (seeds from 100 on).
        operators: ``categorical``: uniform crossover, and each choice drawn anew with probability 1/L; ``integer``:
            simulated binary crossover and polynomial mutation, rounded, as pymoo's documentation has for integers.

    Returns:
        ``(n, L)``, ``n`` the budget or, where nothing new was found for long, less.
    """
    try:
        from pymoo.algorithms.moo.nsga2 import NSGA2
    except ImportError as error:
        raise SystemExit("pymoo is missing, whose NSGA-II is measured here; install it: pip install pymoo") from error
    algorithm = NSGA2(pop_size=population, eliminate_duplicates=True, **_operators(operators))
    num_objectives = objectives(space.sample(1, np.random.default_rng(0))).shape[1]
    # the budget ends the run, not pymoo's own criterion
    algorithm.setup(_problem(space, num_objectives), seed=seed, termination=("n_gen", np.inf))
    seen: dict[tuple[int, ...], np.ndarray] = {}
    idle = 0
    while idle < _IDLE:
        asked = algorithm.ask()
        if not len(asked):  # every child it can think of is in the population
            break
        rows = asked.get("X").astype(np.int64)
        if not space.is_valid(rows).all():
            raise ValueError(f"the space {space.name} forbids vectors of choices, of which pymoo knows nothing")
        before = len(seen)
        for row in rows:
            if (key := tuple(row.tolist())) not in seen:
                seen[key] = objectives(row[None])[0]
                if len(seen) == budget:
                    return np.array(list(seen))
        asked.set("F", np.array([-seen[tuple(row.tolist())] for row in rows]))
        asked.apply(lambda member: member.evaluated.update({"F", "G", "H"}))
        algorithm.tell(infills=asked)
        idle = 0 if len(seen) > before else idle + 1
    return np.array(list(seen))


def _problem(space: SearchSpace, num_objectives: int) -> object:
    """The space as pymoo has it: one variable for each choice."""
    from pymoo.core.problem import Problem
    from pymoo.core.variable import Integer

    variables = {str(i): Integer(bounds=(0, n - 1)) for i, n in enumerate(space.num_choices)}
    upper = np.array(space.num_choices) - 1
    return Problem(vars=variables, n_var=len(upper), n_obj=num_objectives, xl=np.zeros(len(upper)), xu=upper, vtype=int)


def _operators(kind: str) -> dict[str, object]:
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.crossover.ux import UX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.mutation.rm import ChoiceRandomMutation
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling

    sampling = IntegerRandomSampling()
    if kind == "categorical":
        return {"sampling": sampling, "crossover": UX(), "mutation": ChoiceRandomMutation()}
    rounded = {"prob": 1.0, "eta": 3.0, "vtype": float, "repair": RoundingRepair()}
    return {"sampling": sampling, "crossover": SBX(**rounded), "mutation": PM(**rounded)}
