"""Contracts and generators that a plug-in's own tests reuse.

``graphs`` draws random architectures (needs Hypothesis); ``spaces``, ``strategies`` and ``evaluators`` hold
one test class each, which a plug-in's tests derive from and give one fixture; ``toys`` is a space with labels
to test on. The test extra brings what they need: ``pip install 'archpredict[test]'``.
"""
