// What stands between the units of a streaming design. A word moves where valid and ready are both high.

// One word of registers with a second behind it, so that `ready` depends on no other unit: a stream of depth two.
module stream_register #(parameter int W = 16) (
    input  logic         clk,
    input  logic         rst,
    input  logic [W-1:0] in_data,
    input  logic         in_valid,
    output logic         in_ready,
    output logic [W-1:0] out_data,
    output logic         out_valid,
    input  logic         out_ready
);
  logic [W-1:0] spare;
  logic full;
  assign in_ready = !full;
  always_ff @(posedge clk)
    if (rst) begin
      out_valid <= 0;
      full <= 0;
    end else begin
      if (!full) spare <= in_data;
      if (!out_valid || out_ready) begin
        out_valid <= full || in_valid;
        out_data <= full ? spare : in_data;
        full <= 0;
      end else if (in_valid) full <= 1;
    end
endmodule

// A queue of 2^A words in a memory with two ports; it holds one word more, in the register of the output.
module fifo #(parameter int W = 16, parameter int A = 5) (
    input  logic         clk,
    input  logic         rst,
    input  logic [W-1:0] in_data,
    input  logic         in_valid,
    output logic         in_ready,
    output logic [W-1:0] out_data,
    output logic         out_valid,
    input  logic         out_ready
);
  logic [W-1:0] words [2**A];
  logic [A:0] head, tail;
  logic empty, take;
  assign empty = head == tail;
  assign in_ready = !(head[A] != tail[A] && head[A-1:0] == tail[A-1:0]);
  assign take = !empty && (!out_valid || out_ready);
  always_ff @(posedge clk) begin
    if (in_valid && in_ready) words[tail[A-1:0]] <= in_data;
    if (take) out_data <= words[head[A-1:0]];
    if (rst) begin
      head <= '0;
      tail <= '0;
      out_valid <= 0;
    end else begin
      if (in_valid && in_ready) tail <= tail + 1'b1;
      if (take) head <= head + 1'b1;
      out_valid <= take || (out_valid && !out_ready);
    end
  end
endmodule

// Words of W bits into words of W * N bits, the first in the lowest bits.
module widen #(parameter int W = 8, parameter int N = 4) (
    input  logic           clk,
    input  logic           rst,
    input  logic [W-1:0]   in_data,
    input  logic           in_valid,
    output logic           in_ready,
    output logic [W*N-1:0] out_data,
    output logic           out_valid,
    input  logic           out_ready
);
  logic [$clog2(N)-1:0] at;
  assign in_ready = !out_valid || out_ready;
  always_ff @(posedge clk) begin
    if (in_valid && in_ready) out_data <= {in_data, out_data[W*N-1:W]};
    if (rst) begin
      at <= '0;
      out_valid <= 0;
    end else if (in_ready) begin
      out_valid <= in_valid && at == N - 1;
      if (in_valid) at <= at == N - 1 ? '0 : at + 1'b1;
    end
  end
endmodule

// Words of W * N bits into words of W bits, the lowest bits first.
module narrow #(parameter int W = 8, parameter int N = 4) (
    input  logic           clk,
    input  logic           rst,
    input  logic [W*N-1:0] in_data,
    input  logic           in_valid,
    output logic           in_ready,
    output logic [W-1:0]   out_data,
    output logic           out_valid,
    input  logic           out_ready
);
  logic [W*N-1:0] word;
  logic [$clog2(N+1)-1:0] left;
  assign out_data = word[W-1:0];
  assign out_valid = left != 0;
  assign in_ready = left == 0 || (left == 1 && out_ready);
  always_ff @(posedge clk) begin
    if (in_valid && in_ready) word <= in_data;
    else if (out_valid && out_ready) word <= word >> W;
    if (rst) left <= '0;
    else if (in_ready) left <= in_valid ? ($clog2(N + 1))'(N) : '0;
    else if (out_ready) left <= left - 1'b1;
  end
endmodule
