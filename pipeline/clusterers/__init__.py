"""Clustering of the rows of one batch on the host, one module a method. Labels number the clusters by their first row;
-1 is noise. The GPU's are cuML's, in backend.py."""
