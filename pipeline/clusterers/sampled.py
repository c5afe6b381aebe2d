"""Settings of clustering for a sample of the rows."""

from pixsieve.config.sections import Cluster


def thinned(settings: Cluster, share: float) -> Cluster:
    """The settings for a sample of this share of the rows: a row keeps that share of its neighbours, and a cluster of
    its rows."""
    return settings.model_copy(
        update={
            "min_samples": min(settings.min_samples, max(2, round((settings.min_samples - 1) * share) + 1)),
            "min_cluster_size": max(2, round(settings.min_cluster_size * share)),
        }
    )
