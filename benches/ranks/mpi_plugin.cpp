// MPI behind mpi_plugin.h. Compiled for the MPI that is used, whichever it is; needs nothing of
// voxmark but that header.
#include "benches/ranks/mpi_plugin.h"

#include <mpi.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Channel {
  MPI_Comm communicator = MPI_COMM_NULL;
  MPI_Request request = MPI_REQUEST_NULL;
  // Read by MPI until the call is done.
  std::vector<int> bytes, offsets;
};

struct State {
  int rank = 0;
  int ranks = 1;
  std::array<Channel, VOXMARK_MPI_CHANNELS> channels;
  std::string text;  // last told
};

State& state() {
  static State the;
  return the;
}

Channel& channel_of(int index) { return state().channels.at(static_cast<std::size_t>(index)); }

const char* start(int* rank, int* ranks) {
  int provided = MPI_THREAD_SINGLE;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided);
  if (provided < MPI_THREAD_MULTIPLE) {
    return "this MPI library was built without MPI_THREAD_MULTIPLE";
  }
  for (Channel& channel : state().channels) {
    MPI_Comm_dup(MPI_COMM_WORLD, &channel.communicator);
  }
  MPI_Comm_rank(MPI_COMM_WORLD, &state().rank);
  MPI_Comm_size(MPI_COMM_WORLD, &state().ranks);
  *rank = state().rank;
  *ranks = state().ranks;
  return nullptr;
}

const char* library() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  state().text.assign(text.data(), static_cast<std::size_t>(length));
  return state().text.c_str();
}

void finish() {
  for (Channel& channel : state().channels) {
    MPI_Comm_free(&channel.communicator);
  }
  // MPICH before 4.2 on UCX hangs in MPI_Finalize where a rank answers another before it comes
  // there itself (github.com/pmodels/mpich/pull/6596). After the barrier nobody answers for a
  // while.
  constexpr std::chrono::milliseconds kWhile{100};
  MPI_Barrier(MPI_COMM_WORLD);
  std::this_thread::sleep_for(kWhile);
  MPI_Finalize();
}

void abort_all(int code) { MPI_Abort(MPI_COMM_WORLD, code); }

void broadcast(void* values, int bytes) { MPI_Bcast(values, bytes, MPI_BYTE, 0, MPI_COMM_WORLD); }

void gather(int channel, const void* own, int bytes, void* all) {
  Channel& c = channel_of(channel);
  MPI_Iallgather(own, bytes, MPI_BYTE, all, bytes, MPI_BYTE, c.communicator, &c.request);
}

void scatter(int channel, const void* values, const int* bytes, const int* offsets,
             void* received) {
  Channel& c = channel_of(channel);
  const int ranks = state().ranks;
  const int rank = state().rank;
  const int own = bytes[rank];
  // Sent sizes and offsets, then received ones. Nothing goes to this rank itself.
  c.bytes.assign(bytes, bytes + ranks);
  c.bytes[static_cast<std::size_t>(rank)] = 0;
  c.offsets.assign(offsets, offsets + ranks);
  for (int r = 0; r < ranks; ++r) {
    c.bytes.push_back(r == rank ? 0 : own);
    c.offsets.push_back(r * own);
  }
  MPI_Ialltoallv(values, c.bytes.data(), c.offsets.data(), MPI_BYTE, received,
                 c.bytes.data() + ranks, c.offsets.data() + ranks, MPI_BYTE, c.communicator,
                 &c.request);
}

void collect(int channel, void* values, const int* bytes, const int* offsets) {
  Channel& c = channel_of(channel);
  c.bytes.assign(bytes, bytes + state().ranks);
  c.offsets.assign(offsets, offsets + state().ranks);
  MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values, c.bytes.data(), c.offsets.data(),
                  MPI_BYTE, c.communicator, &c.request);
}

int done(int channel) {
  int flag = 0;
  MPI_Test(&channel_of(channel).request, &flag, MPI_STATUS_IGNORE);
  return flag;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const VoxmarkMpi* voxmark_mpi() {
  static const VoxmarkMpi table = {VOXMARK_MPI_INTERFACE,
                                   start,
                                   library,
                                   finish,
                                   abort_all,
                                   broadcast,
                                   gather,
                                   scatter,
                                   collect,
                                   done};
  return &table;
}
