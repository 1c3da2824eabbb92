"""What a deployment costs: what a workload uses in a month, priced by a file that says where its prices are from."""
