/* What lies between two ranks of MPI: prints the time of a message of 8 bytes and the bits per second
   of large ones, from rank 0 to rank 1 and both ways at once. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { kTrips = 200, kBytes = 1 << 20, kMegabytes = 8 };

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  const int other = 1 - rank;
  char* out = calloc(kBytes, 1);
  char* in = calloc(kBytes, 1);

  MPI_Sendrecv(out, 8, MPI_BYTE, other, 0, in, 8, MPI_BYTE, other, 0, MPI_COMM_WORLD,
               MPI_STATUS_IGNORE); /* connected */
  double start = MPI_Wtime();
  for (int trip = 0; trip < kTrips; ++trip) {
    if (rank == 0) MPI_Send(out, 8, MPI_BYTE, other, 0, MPI_COMM_WORLD);
    MPI_Recv(in, 8, MPI_BYTE, other, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    if (rank == 1) MPI_Send(out, 8, MPI_BYTE, other, 0, MPI_COMM_WORLD);
  }
  const double latency = (MPI_Wtime() - start) / (2 * kTrips);

  MPI_Barrier(MPI_COMM_WORLD);
  start = MPI_Wtime();
  for (int i = 0; i < kMegabytes; ++i) {
    if (rank == 0) MPI_Send(out, kBytes, MPI_BYTE, other, 0, MPI_COMM_WORLD);
    if (rank == 1) MPI_Recv(in, kBytes, MPI_BYTE, other, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  }
  if (rank == 0) MPI_Recv(in, 1, MPI_BYTE, other, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  if (rank == 1) MPI_Send(out, 1, MPI_BYTE, other, 0, MPI_COMM_WORLD); /* all has arrived */
  const double one_way = MPI_Wtime() - start;

  MPI_Barrier(MPI_COMM_WORLD);
  start = MPI_Wtime();
  for (int i = 0; i < kMegabytes; ++i) {
    MPI_Sendrecv(out, kBytes, MPI_BYTE, other, 0, in, kBytes, MPI_BYTE, other, 0, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
  }
  const double both_ways = MPI_Wtime() - start;

  const double megabits = 8.0 * kBytes * kMegabytes / 1e6;
  if (rank == 0) {
    printf("%.0f us, %.0f Mbit/s one way, %.0f Mbit/s each way at once\n", latency * 1e6,
           megabits / one_way, megabits / both_ways);
  }
  /* MPICH 4.0 over UCX ends only where all ranks come to MPI_Finalize at about the same time, and none
     has answered another on its way: github.com/pmodels/mpich/pull/6596. */
  MPI_Barrier(MPI_COMM_WORLD);
  usleep(200000);
  MPI_Finalize();
  return 0;
}
