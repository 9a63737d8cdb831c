/* The functions of MPI that ranks need, by a C interface: voxmark itself is built without MPI, and
   loads this plugin where a case has several ranks. So one program runs with Open MPI, MPICH or a
   cluster's own; only mpi_plugin.cpp is compiled for each:

     mpicxx -std=c++17 -O2 -shared -fPIC -I. -o libvoxmark_mpi.so benches/ranks/mpi_plugin.cpp

   Every rank makes the same calls in the same order. Calls of different channels may come from
   different threads; of one channel only after the last one is done. An error of MPI ends all
   ranks. */
#ifndef VOXMARK_BENCHES_RANKS_MPI_PLUGIN_H
#define VOXMARK_BENCHES_RANKS_MPI_PLUGIN_H

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when the table below changes. */
#define VOXMARK_MPI_INTERFACE 3

#define VOXMARK_MPI_CHANNELS 3

struct VoxmarkMpi {
  int interface_version; /* VOXMARK_MPI_INTERFACE */

  /* MPI_Init_thread and a communicator for each channel. NULL, or why that cannot be. */
  const char* (*start)(int* rank, int* ranks);
  /* What MPI_Get_library_version says. Before start(), too. */
  const char* (*library)(void);
  /* Waits for all ranks. The last call. */
  void (*finish)(void);
  /* Ends all ranks at once. */
  void (*abort)(int code);

  /* From rank 0 to all others; returns when it is there. */
  void (*broadcast)(void* values, int bytes);

  /* The following three return at once; done() tells when nobody reads or writes the memory any
   * more. */
  /* all: `bytes` of each rank, in the order of ranks. */
  void (*gather)(int channel, const void* own, int bytes, void* all);
  /* Part r of `values` (bytes[r] from offsets[r] on) goes to rank r. received: own part of every
     other rank, in the order of ranks; the place of this rank's own is left as it is. */
  void (*scatter)(int channel, const void* values, const int* bytes, const int* offsets,
                  void* received);
  /* Part r of `values`, as rank r has it, to all ranks. */
  void (*collect)(int channel, void* values, const int* bytes, const int* offsets);
  /* Not 0 when the channel's last call is done. */
  int (*done)(int channel);
};

/* The only symbol that the plugin exports. */
const struct VoxmarkMpi* voxmark_mpi(void);

#ifdef __cplusplus
}
#endif

#endif
