"""The four lists of DataEval's Clusterer, of any number of rows."""
