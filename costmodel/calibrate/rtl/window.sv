// The windows of a convolution with K x K taps and stride 1 over an image of ROWS x COLS words, without padding.
//
// Words come row by row and are kept in K + 1 blocks of one row each, so that the next row fills one while the windows
// of a row of outputs are read from the others: K * K words a window, row by row of its taps, as the matrix unit behind
// it takes them.
module sliding_window #(
    parameter int W = 16,
    parameter int ROWS = 8,
    parameter int COLS = 8,
    parameter int K = 3
) (
    input  logic         clk,
    input  logic         rst,
    input  logic [W-1:0] in_data,
    input  logic         in_valid,
    output logic         in_ready,
    output logic [W-1:0] out_data,
    output logic         out_valid,
    input  logic         out_ready
);
  localparam int B = K + 1;
  localparam int RB = $clog2(ROWS + 1), CB = $clog2(COLS), KB = $clog2(K), BB = $clog2(B);

  logic [RB-1:0] filled, top;  // whole rows that came, first row of the windows that are read
  logic [CB-1:0] column, left;
  logic [KB-1:0] ky, kx;
  logic [BB-1:0] fill_block, top_block, block, read_block;
  logic take, next;
  logic [B-1:0][W-1:0] words;

  assign in_ready = filled < ROWS && filled < top + B;
  assign take = in_valid && in_ready;
  assign next = filled >= top + K && (!out_valid || out_ready);
  assign block = top_block + ky >= B ? BB'(top_block + ky - B) : BB'(top_block + ky);

  for (genvar b = 0; b < B; b++) begin : row
    ram #(.W(W), .D(COLS)) memory (
        .clk, .write(take && fill_block == b), .write_at(column), .write_data(in_data),
        .read(next), .read_at(CB'(left + kx)), .read_data(words[b]));
  end
  assign out_data = words[read_block];

  always_ff @(posedge clk) begin
    if (next) read_block <= block;
    if (rst) begin
      {filled, top, column, left, ky, kx, fill_block, top_block} <= '0;
      out_valid <= 0;
    end else begin
      out_valid <= next || (out_valid && !out_ready);
      if (take) begin
        column <= column == COLS - 1 ? '0 : column + 1'b1;
        if (column == COLS - 1) begin
          filled <= filled + 1'b1;
          fill_block <= fill_block == B - 1 ? '0 : fill_block + 1'b1;
        end
      end
      if (next) begin
        kx <= kx == K - 1 ? '0 : kx + 1'b1;
        if (kx == K - 1) begin
          ky <= ky == K - 1 ? '0 : ky + 1'b1;
          if (ky == K - 1) begin
            left <= left == COLS - K ? '0 : left + 1'b1;
            if (left == COLS - K) begin
              if (top == ROWS - K) begin  // the last window: the next image
                {filled, top, fill_block, top_block} <= '0;
              end else begin
                top <= top + 1'b1;
                top_block <= top_block == B - 1 ? '0 : top_block + 1'b1;
              end
            end
          end
        end
      end
    end
  end
endmodule

// D words of W bits, one port to write and one to read, whose word comes a cycle later.
module ram #(parameter int W = 16, parameter int D = 64) (
    input  logic                 clk,
    input  logic                 write,
    input  logic [$clog2(D)-1:0] write_at,
    input  logic [W-1:0]         write_data,
    input  logic                 read,
    input  logic [$clog2(D)-1:0] read_at,
    output logic [W-1:0]         read_data
);
  logic [W-1:0] words [D];
  always_ff @(posedge clk) begin
    if (write) words[write_at] <= write_data;
    if (read) read_data <= words[read_at];
  end
endmodule
