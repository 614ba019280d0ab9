"""SLURM: plain sbatch arrays, asked about with squeue, and with sacct only where it is sure."""
