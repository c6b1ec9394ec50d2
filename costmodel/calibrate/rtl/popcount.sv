// Number of ones among N products of one-bit values, for N >= 1.
//
// Two texts of the same function: a plain sum, whose adders the tool chooses, and a tree of 6:3 counters, whose first
// level takes three products in one LUT6 per bit. Mapped for area the second takes six tenths of the LUTs.

module xnor_popcount #(
    parameter int N = 64,
    parameter bit COMPRESSOR = 0,
    localparam int S = $clog2(N + 1)
) (
    input  logic [N-1:0] a,
    input  logic [N-1:0] w,
    output logic [S-1:0] y
);
  if (COMPRESSOR) begin : tree
    localparam int G = (N + 2) / 3;  // groups of three products
    logic [3*G-1:0] p;
    logic [G-1:0] low, high;
    assign p = {{(3 * G - N) {1'b0}}, a ~^ w};
    for (genvar g = 0; g < G; g++) begin : group
      assign low[g]  = ^p[3*g+:3];
      assign high[g] = (p[3*g] & p[3*g+1]) | (p[3*g] & p[3*g+2]) | (p[3*g+1] & p[3*g+2]);
    end
    logic [$clog2(G+1)-1:0] ones, twos;
    popcount #(.N(G), .COMPRESSOR(1)) count_low  (.x(low), .y(ones));
    popcount #(.N(G), .COMPRESSOR(1)) count_high (.x(high), .y(twos));
    assign y = S'(ones) + S'({twos, 1'b0});
  end else begin : sum
    popcount #(.N(N), .COMPRESSOR(0)) count (.x(a ~^ w), .y(y));
  end
endmodule

// Number of ones of x.
module popcount #(
    parameter int N = 64,
    parameter bit COMPRESSOR = 0,
    localparam int S = $clog2(N + 1)
) (
    input  logic [N-1:0] x,
    output logic [S-1:0] y
);
  if (COMPRESSOR && N > 6) begin : tree
    localparam int G = (N + 5) / 6;  // groups of six bits
    localparam int C = $clog2(G + 1);
    logic [6*G-1:0] p;
    logic [G-1:0] ones, twos, fours;
    logic [C-1:0] c0, c1, c2;
    assign p = {{(6 * G - N) {1'b0}}, x};
    for (genvar g = 0; g < G; g++) begin : group
      popcount #(.N(6)) six (.x(p[6*g+:6]), .y({fours[g], twos[g], ones[g]}));
    end
    popcount #(.N(G), .COMPRESSOR(1)) count_ones  (.x(ones), .y(c0));
    popcount #(.N(G), .COMPRESSOR(1)) count_twos  (.x(twos), .y(c1));
    popcount #(.N(G), .COMPRESSOR(1)) count_fours (.x(fours), .y(c2));
    assign y = S'(c0) + S'({c1, 1'b0}) + S'({c2, 2'b0});
  end else begin : sum
    always_comb begin
      y = '0;
      for (int i = 0; i < N; i++) y += S'(x[i]);
    end
  end
endmodule

// One step of a binary dot product: the popcount of N products is added to a sum of W bits, which `first` starts anew.
module xnor_accumulate #(
    parameter int N = 32,
    parameter int W = 16,
    parameter bit COMPRESSOR = 0
) (
    input  logic         clk,
    input  logic         enable,
    input  logic         first,
    input  logic [N-1:0] a,
    input  logic [N-1:0] w,
    output logic [W-1:0] sum
);
  logic [$clog2(N+1)-1:0] ones;
  xnor_popcount #(.N(N), .COMPRESSOR(COMPRESSOR)) count (.a, .w, .y(ones));
  accumulator #(.W(W)) add (.clk, .enable, .first, .x(W'(ones)), .sum);
endmodule
